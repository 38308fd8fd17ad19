# fish completion of pingosd; printed by `pingosd completion fish`.
complete -c pingosd -s h -d 'this help'
complete -c pingosd -s v -d 'show version and exit'
complete -c pingosd -s V -d 'show version and configure options then exit'
complete -c pingosd -s t -d 'test configuration and exit; with -v, tell also of directives that do not matter'
complete -c pingosd -s T -d 'test configuration, dump it and exit'
complete -c pingosd -s q -d 'suppress non-error messages during configuration testing'
complete -c pingosd -s s -x -a 'stop quit reopen reload' -d 'send signal to a master process stop, quit, reopen, reload --no-wait'
complete -c pingosd -s p -x -a '(__fish_complete_directories)' -d 'set prefix path (default /usr/local/pingos/)'
complete -c pingosd -s e -r -F -d 'set error log file (default logs/error.log)'
complete -c pingosd -s c -r -F -d 'set configuration file (default conf/nginx.conf)'
complete -c pingosd -s g -x -d 'set global directives out of configuration file'
complete -c pingosd -n __fish_use_subcommand -a callback -d 'send a marked request of that callback line'
complete -c pingosd -n __fish_use_subcommand -a completion -d 'print what makes a shell complete these words'
complete -c pingosd -n __fish_use_subcommand -a confirm -d 'keep what a reload with --confirm has brought'
complete -c pingosd -n __fish_use_subcommand -a directives -d 'print the manual of all directives, or of one'
complete -c pingosd -n '__fish_seen_subcommand_from directives' -l man
complete -c pingosd -n __fish_use_subcommand -a explain -d 'which values count for a client and why, or what a line means'
complete -c pingosd -n __fish_use_subcommand -a fmt -d 'lay a configuration out anew'
complete -c pingosd -n '__fish_seen_subcommand_from fmt' -l check
complete -c pingosd -n '__fish_seen_subcommand_from fmt' -l write
complete -c pingosd -n __fish_use_subcommand -a help -d 'print this help'
complete -c pingosd -n '__fish_seen_subcommand_from help' -l man
complete -c pingosd -n __fish_use_subcommand -a json -d 'print a configuration as JSON, or turn JSON back'
complete -c pingosd -n '__fish_seen_subcommand_from json' -l combine
complete -c pingosd -n '__fish_seen_subcommand_from json' -l to-conf
complete -c pingosd -n __fish_use_subcommand -a lints -d 'print what -t warns of, by name'
complete -c pingosd -n __fish_use_subcommand -a migrate-check -d 'tell what of a configuration works here'
complete -c pingosd -n '__fish_seen_subcommand_from migrate-check' -l json
complete -c pingosd -n '__fish_seen_subcommand_from migrate-check' -l all
complete -c pingosd -n __fish_use_subcommand -a plan -d 'tell what a reload would change'
complete -c pingosd -n __fish_use_subcommand -a reload -d 'reload and tell what has changed; go back unless confirmed in time'
complete -c pingosd -n '__fish_seen_subcommand_from reload' -l confirm
complete -c pingosd -n __fish_use_subcommand -a rollback -d 'go back to the configuration before the one in force'
complete -c pingosd -n __fish_use_subcommand -a status -d 'tell how the running server is'
complete -c pingosd -n '__fish_seen_subcommand_from status' -l json
complete -c pingosd -n '__fish_seen_subcommand_from completion' -x -a 'bash fish zsh'
