#compdef pingosd
# zsh completion of pingosd; printed by `pingosd completion zsh`.
_pingosd() {
    local -a commands
    commands=(
        'callback:send a marked test request of a callback line'
        'cluster:configure a group of servers, or show the cluster'
        'completion:print a shell completion script'
        'confirm:confirm a reload that was started with --confirm'
        'ctl:send a control request to the running server; without a verb, list them'
        'directives:print the manual of all directives, or of one'
        'explain:show the values in force for a client, or explain a line'
        'fmt:format a configuration file'
        'help:print this help, or that of a command'
        'json:convert a configuration to JSON, or back'
        'lints:list the warnings of -t by name'
        'migrate-check:report which directives of a configuration work here'
        'plan:show what a reload would change'
        'reload:reload and show the changes; roll back unless confirmed in time'
        'rollback:return to the preceding configuration'
        'status:show the state of the running server'
        'top:show streams and clients live'
    )
    _arguments \
        '-h[this help]' \
        '-v[show version and exit]' \
        '-V[show version and configure options then exit]' \
        '-t[test configuration and exit; with -v, also report directives without meaning here]' \
        '-T[test configuration, dump it and exit]' \
        '-q[suppress non-error messages during configuration testing]' \
        '-s[send signal to a master process stop, quit, reopen, reload --no-wait]:signal:(stop quit reopen reload)' \
        '-p[set prefix path (default /usr/local/pingos/)]:prefix:_directories' \
        '-e[set error log file (default logs/error.log)]:filename:_files' \
        '-c[set configuration file (default conf/nginx.conf)]:filename:_files' \
        '-g[set global directives out of configuration file]:directives:' \
        '1:command:->command' \
        '*:word:->word'
    case $state in
        command) _describe command commands ;;
        word)
            case $words[2] in
                completion) compadd bash fish zsh ;;
                ctl)
                    case $words[3] in
                    ban) compadd -- for ;;
                    cluster) compadd -- status streams nodes ;;
                    drop) compadd -- publisher subscriber client srv= app= name= clientid= addr= ;;
                    pause) compadd -- publisher subscriber client srv= app= name= clientid= addr= ;;
                    record) compadd -- start stop rec= srv= app= name= ;;
                    redirect) compadd -- publisher subscriber client newname= srv= app= name= clientid= addr= ;;
                    resume) compadd -- publisher subscriber client srv= app= name= clientid= addr= ;;
                    *) compadd -- --json ban bans cluster drop pause record redirect resume unban ;;
                    esac
                    return
                    ;;
                callback) compadd -- test ;;
                cluster) compadd -- --group --new --canary --timeout --json apply rollback status streams nodes ;;
                completion) compadd -- bash fish zsh ;;
                ctl) compadd -- --json ;;
                directives) compadd -- --man ;;
                fmt) compadd -- --check --write ;;
                help) compadd -- --man callback cluster completion confirm ctl directives explain fmt help json lints migrate-check plan reload rollback status top ;;
                json) compadd -- --combine --to-conf ;;
                migrate-check) compadd -- --json --all ;;
                plan) compadd -- -q ;;
                reload) compadd -- --confirm -q ;;
                rollback) compadd -- --write ;;
                status) compadd -- --json --watch callbacks streams ;;
            esac
            _files
            ;;
    esac
}
_pingosd "$@"
