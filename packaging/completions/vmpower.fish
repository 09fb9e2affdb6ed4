# Completion of vmpower, vmpowerd and vmpower-vmm for fish.
#
# Verbs and options are read from --help, so there is one list of them.

function __vmpower_verbs
    command vmpower --help 2>/dev/null | string replace -rf '^  ([a-z][a-z-]*) +(.*)$' '$1\t$2'
end

function __vmpower_options
    set -l words (commandline -opc)
    command vmpower $words[2] --help 2>/dev/null |
        string replace -rf '^ +(?:-[a-zA-Z], )?(--[a-z][a-z-]*)(?: [A-Za-z=:]+)?(?: +(.*))?$' '$1\t$2'
end

# What the option before takes, "PATH"; nothing if it takes nothing.
function __vmpower_placeholder
    set -l words (commandline -opc)
    test (count $words) -gt 2; or return
    string match -q -- '--*' $words[-1]; or return
    command vmpower $words[2] --help 2>/dev/null |
        string replace -rf '^ +(?:-[a-zA-Z], )?'$words[-1]' ([A-Za-z=:]+)(?: .*)?$' '$1'
end

# The VMs that the daemon looks after, and those that stopped last.
function __vmpower_names
    begin
        timeout 2 vmpower list --json | grep -o '^\[*{"name":"[^"\\\\]*"' | sed 's/.*{"name":"//; s/"$//'
        timeout 2 vmpower history --limit 500 --json | sed -n '/"vm": {/,/}/s/^ *"name": "\([^"\\\\]*\)",\{0,1\}$/\1/p'
    end 2>/dev/null | sort -u
end

function __vmpower_complete
    set -l words (commandline -opc)
    switch $words[-1]
        case --policy
            printf '%s\n' on_{poweroff,reboot,halt,crash}={destroy,restart,preserve,leave} halt_after= button_certain= button_likely=
            return
        case --exit-status
            printf '%s\n' vmm verdict
            return
        case --initiator
            printf '%s\n' guest operator host vmm policy unknown
            return
        case --transition
            printf '%s\n' start poweroff reboot halt crash suspend wake hibernate pause resume destroy migrate failure unknown
            return
    end
    switch "$(__vmpower_placeholder)"
        case FILE PATH DIR DIRECTORY GLOB
            __fish_complete_path (commandline -ct)
            return
        case '?*'
            return
    end
    __vmpower_options
    test "$words[2]" = run; or __vmpower_names
end

function __vmpower_is_after_dashes
    contains -- -- (commandline -opc)
end

function __vmpower_other_command
    set -l words (commandline -opc)
    set -l rest (string escape -- $words[(math (contains -i -- -- $words) + 1)..-1])
    complete -C "$(string join ' ' -- $rest (commandline -ct))"
end

complete -c vmpower -f
complete -c vmpower -n __fish_use_subcommand -a '(__vmpower_verbs)'
complete -c vmpower -n __fish_use_subcommand -l help -d 'what there is'
complete -c vmpower -n __fish_use_subcommand -l version -d 'which vmpower this is'
complete -c vmpower -n 'not __fish_use_subcommand; and not __vmpower_is_after_dashes' -a '(__vmpower_complete)'
# After run's -- comes another program's command line, completed as its own.
complete -c vmpower -n __vmpower_is_after_dashes -a '(__vmpower_other_command)'

# Of a program without verbs: what its option before takes, else its options.
function __vmpower_program_complete
    set -l words (commandline -opc)
    set -l placeholder
    if string match -q -- '--*' $words[-1]
        set placeholder (command $words[1] --help 2>/dev/null |
            string replace -rf '^ +(?:-[a-zA-Z], )?'$words[-1]' ([A-Za-z0-9=:|]+)(?: .*)?$' '$1')
    end
    switch "$placeholder"
        case FILE PATH DIR DIRECTORY GLOB
            __fish_complete_path (commandline -ct)
            return
        case '*|*'
            string split '|' $placeholder | string replace -r ':[A-Z]*$' ':'
            return
        case '?*'
            return
    end
    command $words[1] --help 2>/dev/null |
        string replace -rf '^ +(?:-[a-zA-Z], )?(--[a-z][a-z-]*)(?: [A-Za-z0-9=:|]+)?(?: +(.*))?$' '$1\t$2'
end

complete -c vmpowerd -a '(__vmpower_program_complete)'
complete -c vmpower-vmm -f -a '(__vmpower_program_complete)'
