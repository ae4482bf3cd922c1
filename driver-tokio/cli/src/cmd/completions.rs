//! `handfast completions`: what a shell needs to complete the command line.

use crate::args::Args;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;

/// The names of paired devices, for bash. Only plain ones: a name is a peer's to choose, and is to be nothing that a
/// shell would carry out.
const BASH: &str = r#"
_handfast_peers() {
    _handfast "$@"
    local current=${COMP_WORDS[COMP_CWORD]} name
    case " ${COMP_WORDS[*]:0:COMP_CWORD} " in
        *" send "* | *" forget "* | *" ban "* | *" --from ") ;;
        *) return ;;
    esac
    while IFS= read -r name; do
        [[ $name == "$current"* ]] && COMPREPLY+=("$name")
    done < <(handfast peers --json 2>/dev/null |
        sed -n 's/.*"event":"paired".*"name":"\([A-Za-z0-9._-]*\)".*/\1/p')
}
complete -F _handfast_peers -o bashdefault -o default handfast
"#;

/// The same for fish.
const FISH: &str = r#"
function __handfast_peers
    handfast peers --json 2>/dev/null | string replace -rf '.*"event":"paired".*"name":"([A-Za-z0-9._-]*)".*' '$1'
end
complete -c handfast -n "__fish_seen_subcommand_from send forget ban" -a "(__handfast_peers)"
complete -c handfast -n "__fish_seen_subcommand_from recv" -l from -x -a "(__handfast_peers)"
"#;

/// On standard output.
pub(crate) fn run(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "handfast", &mut script);
    let names = match shell {
        Shell::Bash => BASH,
        Shell::Fish => FISH,
        _ => "",
    };
    script.extend_from_slice(names.as_bytes());
    // A reader that went away is no reason to fail.
    let _ = std::io::stdout().write_all(&script);
}
