# fish completion of pingosd; printed by `pingosd completion fish`.
complete -c pingosd -s h -d 'this help'
complete -c pingosd -s v -d 'show version and exit'
complete -c pingosd -s V -d 'show version and configure options then exit'
complete -c pingosd -s t -d 'test configuration and exit; with -v, also report directives without meaning here'
complete -c pingosd -s T -d 'test configuration, dump it and exit'
complete -c pingosd -s q -d 'suppress non-error messages during configuration testing'
complete -c pingosd -s s -x -a 'stop quit reopen reload' -d 'send signal to a master process stop, quit, reopen, reload --no-wait'
complete -c pingosd -s p -x -a '(__fish_complete_directories)' -d 'set prefix path (default /usr/local/pingos/)'
complete -c pingosd -s e -r -F -d 'set error log file (default logs/error.log)'
complete -c pingosd -s c -r -F -d 'set configuration file (default conf/nginx.conf)'
complete -c pingosd -s g -x -d 'set global directives out of configuration file'
complete -c pingosd -n __fish_use_subcommand -a callback -d 'send a marked test request of a callback line'
complete -c pingosd -n '__fish_seen_subcommand_from callback' -a 'test'
complete -c pingosd -n __fish_use_subcommand -a cluster -d 'configure a group of servers, or show the cluster'
complete -c pingosd -n '__fish_seen_subcommand_from cluster' -l group
complete -c pingosd -n '__fish_seen_subcommand_from cluster' -l new
complete -c pingosd -n '__fish_seen_subcommand_from cluster' -l canary
complete -c pingosd -n '__fish_seen_subcommand_from cluster' -l timeout
complete -c pingosd -n '__fish_seen_subcommand_from cluster' -l json
complete -c pingosd -n '__fish_seen_subcommand_from cluster' -a 'apply rollback status streams nodes'
complete -c pingosd -n __fish_use_subcommand -a completion -d 'print a shell completion script'
complete -c pingosd -n __fish_use_subcommand -a confirm -d 'confirm a reload that was started with --confirm'
complete -c pingosd -n __fish_use_subcommand -a ctl -d 'send a control request to the running server; without a verb, list them'
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -l json
complete -c pingosd -n __fish_use_subcommand -a directives -d 'print the manual of all directives, or of one'
complete -c pingosd -n '__fish_seen_subcommand_from directives' -l man
complete -c pingosd -n __fish_use_subcommand -a explain -d 'show the values in force for a client, or explain a line'
complete -c pingosd -n __fish_use_subcommand -a fmt -d 'format a configuration file'
complete -c pingosd -n '__fish_seen_subcommand_from fmt' -l check
complete -c pingosd -n '__fish_seen_subcommand_from fmt' -l write
complete -c pingosd -n __fish_use_subcommand -a help -d 'print this help, or that of a command'
complete -c pingosd -n '__fish_seen_subcommand_from help' -l man
complete -c pingosd -n '__fish_seen_subcommand_from help' -a 'callback cluster completion confirm ctl directives explain fmt help json lints migrate-check plan reload rollback status top'
complete -c pingosd -n __fish_use_subcommand -a json -d 'convert a configuration to JSON, or back'
complete -c pingosd -n '__fish_seen_subcommand_from json' -l combine
complete -c pingosd -n '__fish_seen_subcommand_from json' -l to-conf
complete -c pingosd -n __fish_use_subcommand -a lints -d 'list the warnings of -t by name'
complete -c pingosd -n __fish_use_subcommand -a migrate-check -d 'report which directives of a configuration work here'
complete -c pingosd -n '__fish_seen_subcommand_from migrate-check' -l json
complete -c pingosd -n '__fish_seen_subcommand_from migrate-check' -l all
complete -c pingosd -n __fish_use_subcommand -a plan -d 'show what a reload would change'
complete -c pingosd -n '__fish_seen_subcommand_from plan' -s q
complete -c pingosd -n __fish_use_subcommand -a reload -d 'reload and show the changes; roll back unless confirmed in time'
complete -c pingosd -n '__fish_seen_subcommand_from reload' -l confirm
complete -c pingosd -n '__fish_seen_subcommand_from reload' -s q
complete -c pingosd -n __fish_use_subcommand -a rollback -d 'return to the preceding configuration'
complete -c pingosd -n '__fish_seen_subcommand_from rollback' -l write
complete -c pingosd -n __fish_use_subcommand -a status -d 'show the state of the running server'
complete -c pingosd -n '__fish_seen_subcommand_from status' -l json
complete -c pingosd -n '__fish_seen_subcommand_from status' -l watch
complete -c pingosd -n '__fish_seen_subcommand_from status' -a 'callbacks streams'
complete -c pingosd -n __fish_use_subcommand -a top -d 'show streams and clients live'
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a ban -d 'refuse an address, a network or a stream, and end its sessions'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from ban' -x -a 'for'
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a bans -d 'list the bans in force'
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a cluster -d 'show the cluster as this server knows it its own part, all streams, or all servers'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from cluster' -x -a 'status streams nodes'
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a drop -d 'end sessions'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from drop' -x -a 'publisher subscriber client srv= app= name= clientid= addr='
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a pause -d 'hold back what publishers send; players are counted only'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from pause' -x -a 'publisher subscriber client srv= app= name= clientid= addr='
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a record -d 'start or stop the recorder rec=, or the applications own recorder'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from record' -x -a 'start stop rec= srv= app= name='
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a redirect -d 'move sessions to another stream of their application'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from redirect' -x -a 'publisher subscriber client newname= srv= app= name= clientid= addr='
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a resume -d 'let paused publishers go on with their next key frame'
complete -c pingosd -n '__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from resume' -x -a 'publisher subscriber client srv= app= name= clientid= addr='
complete -c pingosd -n '__fish_seen_subcommand_from ctl' -x -a unban -d 'take back a ban'
complete -c pingosd -n '__fish_seen_subcommand_from completion' -x -a 'bash fish zsh'
