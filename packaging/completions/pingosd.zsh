#compdef pingosd
# zsh completion of pingosd; printed by `pingosd completion zsh`.
_pingosd() {
    local -a commands
    commands=(
        'callback:send a marked request of that callback line'
        'completion:print what makes a shell complete these words'
        'confirm:keep what a reload with --confirm has brought'
        'directives:print the manual of all directives, or of one'
        'explain:which values count for a client and why, or what a line means'
        'fmt:lay a configuration out anew'
        'help:print this help'
        'json:print a configuration as JSON, or turn JSON back'
        'lints:print what -t warns of, by name'
        'migrate-check:tell what of a configuration works here'
        'plan:tell what a reload would change'
        'reload:reload and tell what has changed; go back unless confirmed in time'
        'rollback:go back to the configuration before the one in force'
        'status:tell how the running server is'
    )
    _arguments \
        '-h[this help]' \
        '-v[show version and exit]' \
        '-V[show version and configure options then exit]' \
        '-t[test configuration and exit; with -v, tell also of directives that do not matter]' \
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
                directives) compadd -- --man ;;
                fmt) compadd -- --check --write ;;
                help) compadd -- --man ;;
                json) compadd -- --combine --to-conf ;;
                migrate-check) compadd -- --json --all ;;
                reload) compadd -- --confirm ;;
                status) compadd -- --json ;;
            esac
            _files
            ;;
    esac
}
_pingosd "$@"
