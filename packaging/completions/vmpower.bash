# Completion of vmpower for bash.

_vmpower_names() {
        vmpower history --json 2>/dev/null | sed -n '/"vm": {/,/}/s/^ *"name": "\(.*\)",\{0,1\}$/\1/p' | sort -u
}

_vmpower() {
        local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} words='' i
        COMPREPLY=()

        if [ "$COMP_CWORD" -eq 1 ]; then
                mapfile -t COMPREPLY < <(compgen -W 'run why history rejudge list watch attach detach --help --version' -- "$word")
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
                on_*) words='destroy restart preserve leave' ;;
                esac
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
                return
        elif [ "$word" = = ]; then
                case $before in
                on_*) mapfile -t COMPREPLY < <(compgen -W 'destroy restart preserve leave') ;;
                esac
                return
        fi

        case $verb:$before in
        run:--policy)
                mapfile -t COMPREPLY < <(compgen -S = -W \
                        'on_poweroff on_reboot on_halt on_crash halt_after button_certain button_likely' -- "$word")
                compopt -o nospace 2>/dev/null
                return
                ;;
        run:--verdict)
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                compopt -o filenames 2>/dev/null
                return
                ;;
        run:--exit-status) words='vmm verdict' ;;
        run:--name | history:--limit) return ;;
        run:*) words='--name --policy --verdict --exit-status --json --quiet --help --' ;;
        why:*) words='--json --help' ;;
        history:*) words='--limit --json --help' ;;
        rejudge:*) words='--dry-run --json --help' ;;
        attach:--qmp)
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                compopt -o filenames 2>/dev/null
                return
                ;;
        attach:--pid) return ;;
        attach:*) words='--qmp --pid --json --system --user --help' ;;
        list:* | watch:* | detach:*) words='--json --system --user --help' ;;
        esac

        # A name is one word whatever is in it, so names are compared line by line.
        if [ "$verb" != run ] && [ "${word#-}" = "$word" ]; then
                local IFS=$'\n'
                mapfile -t COMPREPLY < <(compgen -W "$(_vmpower_names)" -- "$word")
                return
        fi
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _vmpower vmpower
