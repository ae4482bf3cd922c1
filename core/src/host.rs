//! A host of the DNS and a port: a place whose address is looked up when it is needed.

use crate::error::HostNameError;
use std::fmt;
use std::str::FromStr;

/// Bytes of a host's name. RFC 1035 §2.3.4, without the lengths of its labels.
const MAX_NAME: usize = 253;
/// Bytes of a label. RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

/// A host's name and a port, as `laptop.example:5223`.
///
/// ```
/// use handfast_core::HostName;
///
/// let laptop: HostName = "laptop.example:5223".parse()?;
/// assert_eq!((laptop.host(), laptop.port()), ("laptop.example", 5223));
/// assert!("laptop.example".parse::<HostName>().is_err());
/// # Ok::<(), handfast_core::error::HostNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName {
    host: String,
    port: u16,
}

impl HostName {
    /// A host, in letters, digits, hyphens and underscores with dots between, and a port that is not 0.
    ///
    /// # Errors
    /// [`HostNameError`]
    pub fn new(host: &str, port: u16) -> Result<Self, HostNameError> {
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let is_label =
            |label: &str| !label.is_empty() && label.len() <= MAX_LABEL && label.bytes().all(is_letter);
        if host.len() > MAX_NAME || !host.strip_suffix('.').unwrap_or(host).split('.').all(is_label) {
            return Err(HostNameError::Host);
        }
        if port == 0 {
            return Err(HostNameError::Port);
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let (host, port) = text.rsplit_once(':').ok_or(HostNameError::Port)?;
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(HostNameError::Port);
        }
        Self::new(host, port.parse().map_err(|_| HostNameError::Port)?)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_read_back_as_they_are_shown() {
        for text in ["a:1", "laptop.example:65535", "under_score.example.:443", "10.0.0.1:5"] {
            assert_eq!(text.parse::<HostName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_host_with_a_port_is_told_why() {
        let long = format!("{}:1", ["a"; 127].join("."));
        assert!(long.parse::<HostName>().is_ok());
        for (text, why) in [
            ("laptop", HostNameError::Port),
            ("laptop:0", HostNameError::Port),
            ("laptop:65536", HostNameError::Port),
            ("laptop:+1", HostNameError::Port),
            ("laptop:", HostNameError::Port),
            (":1", HostNameError::Host),
            ("a..b:1", HostNameError::Host),
            ("a b:1", HostNameError::Host),
            ("[::1]:1", HostNameError::Host),
            (&format!("{}:1", "a".repeat(64)), HostNameError::Host),
            (&format!("a.{long}"), HostNameError::Host),
        ] {
            assert_eq!(text.parse::<HostName>(), Err(why), "{text}");
        }
    }
}
