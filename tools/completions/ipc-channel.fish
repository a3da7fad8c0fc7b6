# Completion of ipc-channel for fish.

# Of servers with a bare name, where the library looks for them.
function __ipc_channel_names
    set -l directory /tmp/ipc_channel-(id -u)
    if string match -q '/*' -- "$XDG_RUNTIME_DIR"
        set directory $XDG_RUNTIME_DIR
    end
    for socket in $directory/*.sock
        test -S $socket; and string replace -r '\.sock$' '' (basename $socket)
    end
end

function __ipc_channel_framings
    for framing in native newline nul form-feed delimiter= content-length packet
        echo $framing
    end
    for field in u8 u16le u16be u32le u32be u64le u64be
        echo length=$field
    end
end

# The command is one of these.
function __ipc_channel_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

function __ipc_channel_has_no_command
    test (count (commandline -opc)) -eq 1
end

complete -c ipc-channel -f
complete -c ipc-channel -s h -l help -d 'Tell what it does'
complete -c ipc-channel -l version -d 'Tell the version'

complete -c ipc-channel -n __ipc_channel_has_no_command -a listen -d 'Serve a name'
complete -c ipc-channel -n __ipc_channel_has_no_command -a connect -d 'Connect input and output to a name'
complete -c ipc-channel -n __ipc_channel_has_no_command -a relay -d 'Connect each client of one name to another'
complete -c ipc-channel -n __ipc_channel_has_no_command -a info -d 'Tell who serves a name'
complete -c ipc-channel -n __ipc_channel_has_no_command -a wait -d 'Wait until a name is served'
complete -c ipc-channel -n __ipc_channel_has_no_command -a call -d 'Call a JSON-RPC 2.0 server'
complete -c ipc-channel -n __ipc_channel_has_no_command -a bench -d 'Measure an echo server'
complete -c ipc-channel -n __ipc_channel_has_no_command -a help -d 'Tell what a command does'
complete -c ipc-channel -n '__ipc_channel_is help' -a 'listen connect relay info wait call bench'

# A name with a slash is an absolute path.
function __ipc_channel_is_path
    __ipc_channel_is listen connect relay info wait call bench
    and string match -q '/*' -- (commandline -ct)
end

complete -c ipc-channel -n __ipc_channel_is_path -F
complete -c ipc-channel -n '__ipc_channel_is connect relay info wait call bench' -a '(__ipc_channel_names)'

complete -c ipc-channel -n '__ipc_channel_is listen connect call bench' -l frame -x -a '(__ipc_channel_framings)' -d 'How messages are told apart'
complete -c ipc-channel -n '__ipc_channel_is listen connect' -l frame -x -a 'none' -d 'How messages are told apart'
complete -c ipc-channel -n '__ipc_channel_is listen connect' -l input -x -a 'raw quoted hex' -d 'What standard input has'
complete -c ipc-channel -n '__ipc_channel_is listen connect' -l output -x -a 'raw quoted hex json' -d 'How to print what comes'
complete -c ipc-channel -n '__ipc_channel_is listen connect' -l exec -x -a '(__fish_complete_command)' -d 'A command in the place of input and output'
complete -c ipc-channel -n '__ipc_channel_is listen' -l echo -d 'Also send each message back'
complete -c ipc-channel -n '__ipc_channel_is listen' -l once -d 'Serve one client, then end'
complete -c ipc-channel -n '__ipc_channel_is listen' -l max-instances -x -d 'So many clients at a time'
complete -c ipc-channel -n '__ipc_channel_is connect wait call bench' -l timeout -x -d 'In milliseconds'
complete -c ipc-channel -n '__ipc_channel_is connect call' -l wait -d 'For a server that is not there'
complete -c ipc-channel -n '__ipc_channel_is relay' -l monitor -d 'Print what passes'
complete -c ipc-channel -n '__ipc_channel_is info call bench' -l json -d 'Print JSON'
complete -c ipc-channel -n '__ipc_channel_is call' -l notify -d 'Send a notification'
complete -c ipc-channel -n '__ipc_channel_is call' -l list -d 'Print what the server offers'
complete -c ipc-channel -n '__ipc_channel_is call' -l pretty -d 'Lay the result out'
complete -c ipc-channel -n '__ipc_channel_is call' -l watch -d 'Print the notifications that come'
complete -c ipc-channel -n '__ipc_channel_is bench' -l size -x -d 'Bytes of a message'
complete -c ipc-channel -n '__ipc_channel_is bench' -l clients -x -d 'Connections'
complete -c ipc-channel -n '__ipc_channel_is bench' -l pipeline -x -d 'Messages that each has on their way'
complete -c ipc-channel -n '__ipc_channel_is bench' -l duration -x -d 'Milliseconds for each size'
complete -c ipc-channel -n '__ipc_channel_is bench' -l count -x -d 'So many messages of each size'
