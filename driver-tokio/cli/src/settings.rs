//! `config.toml` in the home: what every command of the home goes by that is not told otherwise.
//!
//! Never written by a command. A word that means nothing is an error: it was meant to mean something.

use crate::cmd::serve::StoreAddress;
use crate::exit::{Failure, Kind};
use crate::servers;
use crate::work::Options;
use handfast_core::Fingerprint;
use handfast_tokio::ServerConfig;
use serde::{Deserialize, Deserializer, de};
use std::net::SocketAddr;
use std::path::Path;
use std::{fmt, fs, io, str};

/// The file.
const FILE: &str = "config.toml";

/// The port of a discovery server that is told no other.
const SERVE_PORT: u16 = 5224;

/// All of it. What is not there is as without the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    name: Option<String>,
    port: Option<u16>,
    pub(crate) interface: Vec<String>,
    server: Vec<Server>,
    pub(crate) serve: Serve,
}

/// A discovery server that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    #[serde(deserialize_with = "place")]
    address: String,
    #[serde(deserialize_with = "parsed")]
    key: Fingerprint,
}

/// How to be a discovery server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Serve {
    listen: Option<u16>,
    pub(crate) metrics: Option<SocketAddr>,
    #[serde(deserialize_with = "some")]
    pub(crate) store: Option<StoreAddress>,
    max_records: Option<usize>,
    max_connections: Option<usize>,
    max_subscriptions: Option<usize>,
}

impl Settings {
    /// What the home's file says; nothing, where there is none. Blocks.
    pub(crate) fn read(home: &Path) -> Result<Self, Failure> {
        let path = home.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text)
                .map_err(|why| Kind::Usage.because(format_args!("{}, {why}", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Kind::Home.because(format_args!("{}: {error}", path.display()))),
        }
    }

    /// Gives what the command line does not say.
    pub(crate) fn under(self, mut options: Options) -> Options {
        options.name = options.name.or(self.name);
        if options.port == 0 {
            options.port = self.port.unwrap_or(0);
        }
        if options.interface.is_empty() {
            options.interface = self.interface;
        }
        if options.server.is_empty() && options.server_key.is_empty() {
            let pairs = self.server.into_iter().map(|server| (server.address, server.key.to_string()));
            (options.server, options.server_key) = pairs.unzip();
        }
        options
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = 1 + before.map_or(0, |before| before.matches('\n').count());
            format!("line {line}: {}", error.message().trim_end())
        })
    }
}

impl Serve {
    /// The server's configuration, on this port where the command line says one.
    pub(crate) fn config(&self, listen: Option<u16>) -> ServerConfig {
        let mut config = ServerConfig::new().with_port(listen.or(self.listen).unwrap_or(SERVE_PORT));
        config.max_records = self.max_records.unwrap_or(config.max_records);
        config.max_tombstones = self.max_records.unwrap_or(config.max_tombstones);
        config.max_connections = self.max_connections.unwrap_or(config.max_connections);
        config.max_subscriptions = self.max_subscriptions.unwrap_or(config.max_subscriptions);
        config
    }
}

fn parsed<'de, D: Deserializer<'de>, T: str::FromStr<Err: fmt::Display>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

fn some<'de, D: Deserializer<'de>, T: str::FromStr<Err: fmt::Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    parsed(from).map(Some)
}

fn place<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    servers::check(&text).map_err(de::Error::custom)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser as _;

    const KEY: &str = "agz2uzxlkxjvsug6syv7feb3mqjcopvpsn66n3zn6bkr6b3xtk5q";

    fn whole() -> String {
        format!(
            "name = \"desk\"\nport = 5223\ninterface = [\"eth0\"]\n\n\
             [[server]]\naddress = \"discovery.example:5224\"\nkey = \"{KEY}\"\n\n\
             [[server]]\naddress = \"[2001:db8::1]:5224\"\nkey = \"{KEY}\"\n\n\
             [serve]\nlisten = 6000\nmetrics = \"127.0.0.1:9464\"\n\
             store = \"redis://localhost\"\nmax_records = 10\n\
             max_connections = 20\nmax_subscriptions = 30\n"
        )
    }

    fn options(line: &str) -> Options {
        Options::from(&Args::try_parse_from(line.split(' ')).unwrap().global)
    }

    #[test]
    fn what_the_command_line_does_not_say_is_as_in_the_file() {
        let settings = Settings::parse(&whole()).unwrap();
        let under = settings.clone().under(options("handfast node"));
        assert_eq!((under.name.as_deref(), under.port), (Some("desk"), 5223));
        assert_eq!(under.interface, ["eth0"]);
        assert_eq!(under.server, ["discovery.example:5224", "[2001:db8::1]:5224"]);
        assert_eq!(under.server_key, [KEY, KEY]);
        let line = "handfast node --name lap --port 1 --interface lo --server a.example:1 --server-key ";
        let told = options(&format!("{line}{KEY}"));
        assert_eq!(settings.clone().under(told.clone()), told);
        let serve = settings.serve.config(None);
        assert_eq!((serve.port, serve.max_records, serve.max_tombstones), (6000, 10, 10));
        assert_eq!(settings.serve.store, Some(StoreAddress::One("redis://localhost".to_owned())));
        assert_eq!((serve.max_connections, serve.max_subscriptions), (20, 30));
        assert_eq!(settings.serve.config(Some(7)).port, 7);
        assert_eq!(Settings::default().serve.config(None).port, SERVE_PORT);
        assert_eq!(Settings::default().under(options("handfast node")), options("handfast node"));
    }

    #[test]
    fn a_word_that_means_nothing_and_a_value_that_is_none_are_errors_with_their_lines() {
        for (text, line, about) in [
            ("name = \"a\"\nprot = 1\n", 2, "prot"),
            ("[serve]\n\nlease = 1\n", 3, "lease"),
            ("port = 70000\n", 1, "70000"),
            ("[serve]\nstore = \"http://a\"\n", 2, "redis"),
            ("[[server]]\naddress = \"nowhere\"\nkey = \"x\"\n", 2, "port"),
            ("[[server]]\naddress = \"a:1\"\nkey = \"x\"\n", 3, ""),
            ("[[server]]\naddress = \"a:1\"\n", 1, "key"),
            ("name = \n", 1, ""),
        ] {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")), "{text:?}: {error}");
            assert!(error.contains(about) && !error.contains('\n'), "{text:?}: {error}");
        }
    }
}
