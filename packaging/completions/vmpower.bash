# Completion of vmpower, vmpowerd and vmpower-vmm for bash.
#
# Verbs and options are read from --help, so there is one list of them.

# The options that a help text explains, one a line: "--qmp PATH".
_vmpower_options() {
        local line pattern='^ +(-[a-zA-Z], )?(--[a-z][a-z-]*)( [A-Za-z0-9=:|]+)?( |$)'
        while IFS= read -r line; do
                [[ $line =~ $pattern ]] && echo "${BASH_REMATCH[2]}${BASH_REMATCH[3]}"
        done < <("$@" --help 2>/dev/null)
}

_vmpower_verbs() {
        local line
        while IFS= read -r line; do
                [[ $line =~ ^'  '([a-z][a-z-]*)' '+[^' '] ]] && echo "${BASH_REMATCH[1]}"
        done < <("$1" --help 2>/dev/null)
}

# The VMs that the daemon looks after, and those that stopped last.
_vmpower_names() {
        {
                timeout 2 "$1" list --json | grep -o '^\[*{"name":"[^"\\]*"' | sed 's/.*{"name":"//; s/"$//'
                timeout 2 "$1" history --limit 500 --json | sed -n '/"vm": {/,/}/s/^ *"name": "\([^"\\]*\)",\{0,1\}$/\1/p'
        } 2>/dev/null | sort -u
}

# The values that an option takes, where they are few; else "file" for a path, or nothing.
_vmpower_values() { # OPTION PLACEHOLDER
        case $1 in
        --exit-status) echo 'vmm verdict' ;;
        --journald) echo 'auto on off' ;;
        --xen) echo 'auto yes no' ;;
        --xen-policy) echo 'auto leave' ;;
        --initiator) echo 'guest operator host vmm policy unknown' ;;
        --transition)
                echo 'start poweroff reboot halt crash suspend wake hibernate pause resume destroy migrate failure unknown'
                ;;
        *) case $2 in
                FILE | PATH | DIR | DIRECTORY | GLOB) echo file ;;
                *'|'*) echo "${2//|/ }" | sed 's/:[A-Z]*/:/' ;;
                esac ;;
        esac
}

_vmpower_reply() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_vmpower_reply_files() {
        mapfile -t COMPREPLY < <(compgen -f -- "$1")
        compopt -o filenames 2>/dev/null
}

# The word is an option's value: sets COMPREPLY, and is true.
_vmpower_value() { # WORD BEFORE OPTIONS
        local option placeholder values
        while read -r option placeholder; do
                [ "$option" = "$2" ] && [ -n "$placeholder" ] || continue
                values=$(_vmpower_values "$option" "$placeholder")
                if [ "$values" = file ]; then
                        _vmpower_reply_files "$1"
                else
                        _vmpower_reply "$values" "$1"
                fi
                return 0
        done <<<"$3"
        return 1
}

_vmpower() {
        local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
        local options option name quoted i
        COMPREPLY=()

        if [ "$COMP_CWORD" -eq 1 ]; then
                _vmpower_reply "$(_vmpower_verbs "$program") --help --version" "$word"
                return
        fi

        # After run's -- comes another program's command line, completed as its own.
        if [ "$verb" = run ]; then
                for ((i = 2; i < COMP_CWORD; i++)); do
                        if [ "${COMP_WORDS[i]}" = -- ]; then
                                if declare -F _command_offset >/dev/null; then
                                        _command_offset $((i + 1))
                                elif [ "$COMP_CWORD" -eq $((i + 1)) ]; then
                                        mapfile -t COMPREPLY < <(compgen -c -- "$word")
                                else
                                        mapfile -t COMPREPLY < <(compgen -f -- "$word")
                                fi
                                return
                        fi
                done
        fi

        # Bash splits words at = and :, so NAME=VALUE arrives in up to three.
        if [ "$before" = = ]; then
                case ${COMP_WORDS[COMP_CWORD - 2]} in
                on_*) _vmpower_reply 'destroy restart preserve leave' "$word" ;;
                --*) _vmpower_value "$word" "${COMP_WORDS[COMP_CWORD - 2]}" "$(_vmpower_options "$program" "$verb")" ;;
                esac
                return
        elif [ "$word" = = ]; then
                case $before in
                on_*) _vmpower_reply 'destroy restart preserve leave' '' ;;
                --*) _vmpower_value '' "$before" "$(_vmpower_options "$program" "$verb")" ;;
                esac
                return
        fi

        if [ "$before" = --policy ]; then
                mapfile -t COMPREPLY < <(compgen -S = -W \
                        'on_poweroff on_reboot on_halt on_crash halt_after button_certain button_likely' -- "$word")
                compopt -o nospace 2>/dev/null
                return
        fi
        options=$(_vmpower_options "$program" "$verb")
        _vmpower_value "$word" "$before" "$options" && return

        # Whoever starts a VM gives it its name: it never goes through compgen -W, which would run a $(command) in it.
        if [ "$verb" != run ] && [ "${word#-}" = "$word" ]; then
                while IFS= read -r name; do
                        printf -v quoted %q "$name"
                        if [ -n "$name" ] && [[ $quoted = "$word"* || $name = "$word"* ]]; then
                                COMPREPLY+=("$quoted")
                        fi
                done < <(_vmpower_names "$program")
                return
        fi
        options=$(while read -r option _; do echo "$option"; done <<<"$options")
        [ "$verb" != run ] || options+=' --'
        _vmpower_reply "$options" "$word"
}

_vmpowerd() {
        local word=${COMP_WORDS[COMP_CWORD]} options option
        COMPREPLY=()
        options=$(_vmpower_options "${COMP_WORDS[0]}")
        _vmpower_value "$word" "${COMP_WORDS[COMP_CWORD - 1]}" "$options" && return
        _vmpower_reply "$(while read -r option _; do echo "$option"; done <<<"$options")" "$word"
}

complete -F _vmpower vmpower
complete -F _vmpowerd vmpowerd vmpower-vmm
