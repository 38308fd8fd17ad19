# bash completion of pingosd; printed by `pingosd completion bash`.
_pingosd() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words="" word
    COMPREPLY=()
    case $previous in
        -s) COMPREPLY=($(compgen -W "stop quit reopen reload" -- "$current")); return ;;
        -p) COMPREPLY=($(compgen -d -- "$current")); return ;;
        -c|-e) COMPREPLY=($(compgen -f -- "$current")); return ;;
        -g) return ;;
        completion) COMPREPLY=($(compgen -W "bash fish zsh" -- "$current")); return ;;
        ctl) COMPREPLY=($(compgen -W "--json ban bans cluster drop pause record redirect resume unban" -- "$current")); return ;;
        directives) COMPREPLY=($(compgen -W "--man $(pingosd directives 2>/dev/null | sed -n 's/^### `\([^`]*\)`.*/\1/p')" -- "$current")); return ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "-h -v -V -t -T -q -s -p -e -c -g callback cluster completion confirm ctl directives explain fmt help json lints migrate-check plan reload rollback status top" -- "$current"))
        return
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
        callback) words="test" ;;
        cluster) words="--group --new --canary --timeout --json apply rollback status streams nodes" ;;
        completion) words="bash fish zsh" ;;
        ctl) words="--json" ;;
        directives) words="--man" ;;
        fmt) words="--check --write" ;;
        help) words="--man callback cluster completion confirm ctl directives explain fmt help json lints migrate-check plan reload rollback status top" ;;
        json) words="--combine --to-conf" ;;
        migrate-check) words="--json --all" ;;
        plan) words="-q" ;;
        reload) words="--confirm -q" ;;
        rollback) words="--write" ;;
        status) words="--json --watch callbacks streams" ;;
        esac
    done
    if [ "${COMP_WORDS[1]}" = ctl ]; then
        for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
            case $word in
                ban) words="for" ;;
                cluster) words="status streams nodes" ;;
                drop) words="publisher subscriber client srv= app= name= clientid= addr=" ;;
                pause) words="publisher subscriber client srv= app= name= clientid= addr=" ;;
                record) words="start stop rec= srv= app= name=" ;;
                redirect) words="publisher subscriber client newname= srv= app= name= clientid= addr=" ;;
                resume) words="publisher subscriber client srv= app= name= clientid= addr=" ;;
            esac
        done
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
    fi
    case $current in
        -*) COMPREPLY=($(compgen -W "-h -v -V -t -T -q -s -p -e -c -g $words" -- "$current")) ;;
        *) COMPREPLY=($(compgen -f -W "$words" -- "$current")) ;;
    esac
}
complete -o filenames -F _pingosd pingosd
