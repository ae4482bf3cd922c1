//! The command line: what it says, and what is to be done then.

use crate::cmd;
use crate::cmd::serve::StoreAddress;
use crate::exit::{self, Failure, Kind};
use crate::output::Screen;
use crate::servers;
use crate::transfer::rate;
use crate::work::{Asking, Cargo, Into, Options, Order, Pair, Receive, Sending, Work};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use handfast_core::{Code, Fingerprint, ServiceName};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Finds your other devices, pairs with them once, and sends files over fast private streams.
#[derive(Debug, Parser)]
#[command(name = "handfast", version, about, after_help = exit::HELP, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// The folder of this device's key and its paired devices [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// The application's name on the network: only devices with the same one meet
    #[arg(long, global = true, value_name = "NAME", default_value = "handfast", value_parser = app)]
    pub(crate) app: ServiceName,
    /// What other devices call this one [default: the host's name]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Use this network interface alone; may be repeated [default: all but loopback]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// The UDP port of QUIC; 0 lets the system choose
    #[arg(long, global = true, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Where the other device is, where discovery cannot tell
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) addr: Option<String>,
    /// Find paired devices beyond the LAN by this discovery server (see `serve`); may be repeated
    #[arg(long, global = true, value_name = "HOST:PORT", value_parser = server)]
    pub(crate) server: Vec<String>,
    /// The key that the server shows when it starts: one for each --server, in the same order
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) server_key: Vec<Fingerprint>,
    /// Answer yes to every question but for a code
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// One JSON object a line on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Silence after which a connection is given up
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds, hide = true)]
    pub(crate) idle_timeout: Option<Duration>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it all at once: two nodes in this process meet, pair, and send 256 MiB
    Demo {
        /// Mebibytes to send
        #[arg(long, value_name = "MIB", default_value_t = 256, hide = true)]
        size: u64,
    },
    /// Print what a shell needs to complete this command, such as for ~/.local/share/bash-completion/completions/handfast
    Completions {
        /// The shell
        shell: Shell,
    },
    /// List the devices on this network as they come and go, until Ctrl-C
    Discover,
    /// Pair: show a code, or type the one that another device shows
    #[command(override_usage = "handfast pair [PEER]\n       handfast pair CODE [PEER]")]
    Pair {
        /// The code that the other device shows; without one, this device shows a code
        #[arg(value_name = "CODE")]
        first: Option<String>,
        /// The device to pair with: its id, the beginning of it, its label or its name
        #[arg(value_name = "PEER")]
        second: Option<String>,
    },
    /// Send files and folders, or standard input, to a paired device; goes on where an earlier try broke off
    #[command(override_usage = "handfast send FILE... PEER\n       handfast send - PEER [--as NAME]")]
    Send {
        /// The files and folders; `-` alone for standard input
        #[arg(value_name = "FILE", required = true, num_args = 1..)]
        files: Vec<PathBuf>,
        /// The device: its id, the beginning of it, its label or its name
        #[arg(value_name = "PEER", required = true)]
        peer: String,
        /// What standard input is called there
        #[arg(long = "as", value_name = "NAME", default_value = "stdin")]
        called: String,
        /// Send so many bytes a second at most, such as 500k or 5M
        #[arg(long, value_name = "RATE", value_parser = rate::parse)]
        limit: Option<u64>,
        /// How long the device is looked for, at first and when the connection is lost
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "15")]
        timeout: Duration,
    },
    /// Receive files and folders from paired devices, until Ctrl-C
    #[command(override_usage = "handfast recv [--dir DIR] [--once]\n       handfast recv -")]
    Recv {
        /// Receive one file to standard output, then end; lines go to standard error
        #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["dir", "once", "stdout"])]
        dash: Option<String>,
        /// The same as `-`
        #[arg(long, conflicts_with_all = ["dir", "once"])]
        stdout: bool,
        /// The folder to put them in
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
        /// Receive from this device alone, and refuse what others send
        #[arg(long, value_name = "PEER")]
        from: Option<String>,
        /// Receive so many bytes a second at most, such as 500k or 5M
        #[arg(long, value_name = "RATE", value_parser = rate::parse)]
        limit: Option<u64>,
        /// End when all is there that one `handfast send` sends
        #[arg(long)]
        once: bool,
    },
    /// Be the node that other commands of this home use, until Ctrl-C; receives nothing
    #[command(alias = "up")]
    Node,
    /// Be a discovery server, for devices that are not on one network, until Ctrl-C
    Serve(Serve),
    /// List the paired devices, and those that are trusted or banned
    Peers {
        /// Ask the discovery servers where each paired device is
        #[arg(long)]
        lookup: bool,
    },
    /// End the pairing with a device, or the trust in one
    Forget {
        /// The device: its id, the beginning of it, its label or its name; where it is trusted, its fingerprint
        peer: String,
    },
    /// Show this device's id and fingerprint
    Id,
    /// Pair without a code: with the device of this fingerprint, on which this one's is entered as well
    Trust {
        /// The fingerprint that `handfast id` shows on the other device
        fingerprint: Fingerprint,
    },
    /// Never talk to a device again, and end the pairing with it
    Ban {
        /// The device: its fingerprint, or where it is paired its id, the beginning of it, its label or its name
        device: String,
    },
    /// Lift a ban
    Unban {
        /// The device's fingerprint
        fingerprint: Fingerprint,
    },
}

/// How to be a discovery server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Serve {
    /// The UDP port to be reached at; 0 lets the system choose [default: 5224]
    #[arg(long, value_name = "PORT")]
    pub(crate) listen: Option<u16>,
    /// Tell Prometheus at this address what there is and was done: http://ADDR/metrics
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Share what is announced with other servers, in Redis 7 or later: redis://HOST:PORT, or a cluster of it,
    /// redis://HOST:PORT,HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreAddress>,
}

/// What has only digits, dashes and spaces and so many digits is meant as a code, never as a peer.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 5..=12;

impl Args {
    /// Whether standard output is for what arrives.
    pub(crate) fn uses_stdout(&self) -> bool {
        matches!(&self.command, Command::Recv { dash, stdout, .. } if *stdout || dash.is_some())
    }

    /// What is to be done. Checks what can be checked before anything is started.
    pub(crate) fn order(self, screen: &Screen) -> Result<Order, Failure> {
        let Self { global, command } = self;
        let asking = match screen.can_ask() {
            true if global.yes => Asking::Codes,
            true => Asking::All,
            false => Asking::Nothing,
        };
        let options = Options::from(&global);
        Ok(Order { work: work(command)?, options, addr: global.addr, asking })
    }
}

fn work(command: Command) -> Result<Work, Failure> {
    Ok(match command {
        Command::Ban { device } => Work::Ban { device },
        Command::Completions { .. } | Command::Demo { .. } | Command::Serve(_) => {
            return Err(Kind::Internal.because("this command needs no node"));
        }
        Command::Discover => Work::Discover,
        Command::Forget { peer } => Work::Forget { peer },
        Command::Id => Work::Id,
        Command::Node => Work::Node,
        Command::Pair { first, second } => Work::Pair(pair(first, second)?),
        Command::Peers { lookup: false } => Work::Peers,
        Command::Peers { lookup: true } => Work::LookUp,
        Command::Recv { dash, stdout, dir, from, limit, once } => {
            let into = match dash.is_some() || stdout {
                true => Into::Stdout,
                false => Into::Folder(cmd::recv::folder(&dir)?),
            };
            Work::Recv(Receive { into, from, limit, once })
        }
        Command::Send { files, peer, called, limit, timeout } => Work::Send(Sending {
            cargo: cargo(files, called)?,
            peer,
            limit,
            patience: timeout,
            run: run()?,
            after: None,
        }),
        Command::Trust { fingerprint } => Work::Trust { fingerprint: fingerprint.to_string() },
        Command::Unban { fingerprint } => Work::Unban { fingerprint: fingerprint.to_string() },
    })
}

/// Tells standard input from files.
fn cargo(files: Vec<PathBuf>, name: String) -> Result<Cargo, Failure> {
    match &files[..] {
        [file] if file == Path::new("-") => Ok(Cargo::Pipe { name }),
        files if files.iter().any(|file| file == Path::new("-")) => {
            Err(Kind::Usage.because("standard input is sent alone; a file called `-` is `./-`"))
        }
        files => Ok(Cargo::Files(cmd::send::files(files)?)),
    }
}

/// What the other device knows a command by.
fn run() -> Result<[u8; 16], Failure> {
    let random = handfast_tokio::entropy().map_err(|error| Kind::Internal.because(error))?;
    let mut run = [0; 16];
    run.copy_from_slice(&random[..16]);
    Ok(run)
}

/// Tells a code from a peer.
fn pair(first: Option<String>, second: Option<String>) -> Result<Pair, Failure> {
    match (first, second) {
        (None, _) => Ok(Pair::Show(None)),
        (Some(text), peer) if looks_like_a_code(&text) => match text.parse::<Code>() {
            Ok(_) => Ok(Pair::Type { code: text, peer }),
            Err(error) => Err(Kind::WrongCode.because(format_args!("{error}: nothing was sent"))),
        },
        (Some(peer), None) => Ok(Pair::Show(Some(peer))),
        (Some(text), Some(_)) => Err(Kind::Usage.because(format_args!("`{text}` is no pairing code"))),
    }
}

fn looks_like_a_code(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    CODE_DIGITS.contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || c == '-' || c == ' ')
}

fn app(text: &str) -> Result<ServiceName, String> {
    ServiceName::new(text).map_err(|error| error.to_string())
}

fn server(text: &str) -> Result<String, String> {
    servers::check(text).map(|()| text.to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.1..=3600.0).contains(&seconds) {
        return Err("not between 0.1 and 3600 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in ["handfast --json --interface lo peers", "handfast peers --json --interface lo"] {
            let args = parse(line);
            assert!(args.global.json);
            assert_eq!(args.global.interface, ["lo"]);
        }
        assert_eq!(parse("handfast peers --interface a --interface b").global.interface, ["a", "b"]);
    }

    #[test]
    fn what_a_pipe_is_called_is_not_what_the_device_is_called() {
        let args = parse("handfast send - laptop --name desk --as backup.tar");
        assert_eq!(args.global.name.as_deref(), Some("desk"));
        assert!(matches!(args.command, Command::Send { called, .. } if called == "backup.tar"));
    }

    #[test]
    fn the_last_word_of_send_is_the_peer() {
        let Command::Send { files, peer, .. } = parse("handfast send a.txt b.txt laptop").command else {
            panic!("another command")
        };
        assert_eq!(files, [PathBuf::from("a.txt"), PathBuf::from("b.txt")]);
        assert_eq!(peer, "laptop");
        assert!(Args::try_parse_from(["handfast", "send", "laptop"]).is_err());
    }

    #[test]
    fn a_word_of_pair_is_a_peer_unless_it_is_all_digits() {
        let one = |first: &str| pair(Some(first.to_owned()), None);
        assert_eq!(pair(None, None), Ok(Pair::Show(None)));
        assert_eq!(one("laptop"), Ok(Pair::Show(Some("laptop".to_owned()))));
        assert_eq!(one("7f3a"), Ok(Pair::Show(Some("7f3a".to_owned()))));
        assert!(pair(Some("laptop".to_owned()), Some("phone".to_owned())).is_err());
        assert!(
            looks_like_a_code("482-1935") && looks_like_a_code("482 193") && looks_like_a_code("123456789")
        );
        assert!(!looks_like_a_code("4821") && !looks_like_a_code(&"1".repeat(40)));
    }

    #[test]
    fn an_application_has_a_name_that_discovery_allows() {
        assert!(Args::try_parse_from(["handfast", "--app", "No Good", "peers"]).is_err());
        assert_eq!(parse("handfast --app chat-2 peers").global.app.as_str(), "chat-2");
    }
}
