"""What a shell reads to complete commands: a function for each shell, which asks `scaffold __complete`."""

from __future__ import annotations

BASH = r"""# Completion of scaffold for bash: source <(scaffold completion bash)
_scaffold() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <("$1" __complete bash "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null)
    # The value of an answer follows its name without a space.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && type compopt >/dev/null 2>&1; then
        compopt -o nospace
    fi
}
complete -o bashdefault -o default -F _scaffold scaffold
"""

ZSH = r"""#compdef scaffold
# Completion of scaffold for zsh: source <(scaffold completion zsh), after compinit
_scaffold() {
    local line value
    local -a open closed
    for line in "${(@f)$(${words[1]} __complete zsh $((CURRENT - 1)) "${words[@]}" 2>/dev/null)}"; do
        value=${line%%$'\t'*}
        [[ -n $value ]] || continue
        # The value of an answer follows its name without a space.
        if [[ $value == *= ]]; then
            open+=("${value//:/\\:}${${line#$value}/$'\t'/:}")
        else
            closed+=("${value//:/\\:}${${line#$value}/$'\t'/:}")
        fi
    done
    if (( ! $#open && ! $#closed )); then
        _files
        return
    fi
    (( $#closed )) && _describe -t words 'scaffold' closed
    (( $#open )) && _describe -t answers 'answer' open -S ''
    return 0
}
if [[ $funcstack[1] == _scaffold ]]; then
    _scaffold "$@"
else
    compdef _scaffold scaffold
fi
"""

FISH = r"""# Completion of scaffold for fish: scaffold completion fish | source
function __scaffold_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($before[1] __complete fish (count $before) $before "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c scaffold -f -a '(__scaffold_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
