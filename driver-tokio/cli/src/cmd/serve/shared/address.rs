//! Where the shared store is, as the command line has it.

use std::str::FromStr;

/// Where the shared store is: one Redis, or some nodes of a cluster of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    One(String),
    Cluster(Vec<String>),
}

impl FromStr for Address {
    type Err = String;

    /// Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`; a cluster's has several hosts with commas between them,
    /// or begins with `redis+cluster`. What is behind `@` and before `/` differs between its nodes, and nothing else.
    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("not of the form redis://HOST:PORT")?;
        let may_be_one = match scheme {
            "redis" => true,
            "redis+cluster" => false,
            _ => return Err(format!("{scheme} is not supported: redis or redis+cluster is")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let urls: Vec<String> = hosts.split(',').map(|host| format!("redis://{user}{host}{path}")).collect();
        if hosts.split(',').any(str::is_empty) || urls.iter().any(|url| redis::parse_redis_url(url).is_none())
        {
            return Err("a host is missing or malformed".to_owned());
        }
        match <[String; 1]>::try_from(urls) {
            Ok([url]) if may_be_one => Ok(Self::One(url)),
            Ok([url]) => Ok(Self::Cluster(vec![url])),
            Err(urls) => Ok(Self::Cluster(urls)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_store_and_several_are_a_cluster() {
        let read = |text: &str| text.parse::<Address>();
        let one = |url: &str| Ok(Address::One(url.to_owned()));
        let cluster =
            |urls: &[&str]| Ok(Address::Cluster(urls.iter().map(|url| (*url).to_owned()).collect()));
        assert_eq!(read("redis://localhost"), one("redis://localhost"));
        assert_eq!(read("redis://u:p@10.0.0.1:7/2"), one("redis://u:p@10.0.0.1:7/2"));
        assert_eq!(read("redis+cluster://10.0.0.1:7"), cluster(&["redis://10.0.0.1:7"]));
        assert_eq!(
            read("redis://:p@10.0.0.1:7,[::1]:8"),
            cluster(&["redis://:p@10.0.0.1:7", "redis://:p@[::1]:8"])
        );
    }

    #[test]
    fn what_is_no_address_of_a_store_is_refused_before_anything_is_started() {
        for text in
            ["", "localhost", "rediss://localhost", "redis://", "redis://a,,b", "redis://a:x", "http://a"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
