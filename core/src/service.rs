//! What an application says of services, and what it is told of them: plain values, each checked once, when it
//! is made. RFC 6763.
//!
//! Never knows how a record is written, nor when one is sent.

mod instance;
mod kind;
mod txt;

pub use instance::{ServiceInstance, ServiceKey};
pub use kind::{Protocol, ServiceType};
pub use txt::{TxtRecord, TxtValue};

use crate::error::ServiceError;

/// A service that an application offers: what it is, what it is called, and where it listens.
///
/// The port is the application's own business: a node announces it and does not listen there. The host is the
/// node's own, under a name that follows from its key.
///
/// ```
/// use handfast_core::{Service, ServiceType, TxtRecord};
///
/// let txt = TxtRecord::new().with("path", "/")?;
/// let page = Service::new("_http._tcp".parse()?, "Ben's page", 8080)?.with_txt(txt)?;
/// assert_eq!(page.name(), "Ben's page");
///
/// let printer = Service::new(ServiceType::tcp("ipp")?, "Attic", 631)?.with_subtype("_universal")?;
/// assert_eq!(printer.subtypes(), ["_universal"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    kind: ServiceType,
    name: String,
    port: u16,
    subtypes: Vec<String>,
    txt: TxtRecord,
}

impl Service {
    /// Bytes that a name may have: it is one label of DNS. RFC 6763 §4.1.1.
    pub const MAX_NAME: usize = 63;
    /// Subtypes that a service may have.
    pub const MAX_SUBTYPES: usize = 8;

    /// A service without subtypes, that says nothing else of itself. A subtype that `kind` names is taken as
    /// the first of its subtypes.
    ///
    /// The name is for people: 1 to 63 bytes of UTF-8 without control characters. Others may use it: where
    /// somebody has it already, the service is published as `Name (2)`, and
    /// [`Event::ServiceRenamed`](crate::Event::ServiceRenamed) tells.
    ///
    /// # Errors
    /// [`ServiceError::Kind`] for a kind that may be looked for, but not published (see
    /// [`ServiceType::is_publishable`]), [`ServiceError::Name`].
    pub fn new(kind: ServiceType, name: &str, port: u16) -> Result<Self, ServiceError> {
        if !kind.is_publishable() {
            return Err(ServiceError::Kind);
        }
        if name.is_empty() || name.len() > Self::MAX_NAME || name.chars().any(char::is_control) {
            return Err(ServiceError::Name);
        }
        let subtypes = kind.subtype().map(str::to_owned).into_iter().collect();
        Ok(Self { kind: kind.base(), name: name.to_owned(), port, subtypes, txt: TxtRecord::new() })
    }

    /// Adds a subtype, such as `_universal`: who looks for that alone finds the service as well. One that is
    /// there already is not added again. At most [`Service::MAX_SUBTYPES`].
    ///
    /// # Errors
    /// [`ServiceError::Subtype`], [`ServiceError::Subtypes`].
    pub fn with_subtype(mut self, subtype: &str) -> Result<Self, ServiceError> {
        let kind = self.kind.clone().with_subtype(subtype).map_err(|_| ServiceError::Subtype)?;
        let subtype = kind.subtype().map(str::to_owned).filter(|subtype| !self.subtypes.contains(subtype));
        if subtype.is_some() && self.subtypes.len() == Self::MAX_SUBTYPES {
            return Err(ServiceError::Subtypes);
        }
        self.subtypes.extend(subtype);
        Ok(self)
    }

    /// Sets what else the service says of itself.
    ///
    /// # Errors
    /// [`ServiceError::Txt`] for a record that was received and is longer than one that may be published.
    pub fn with_txt(mut self, txt: TxtRecord) -> Result<Self, ServiceError> {
        txt.check()?;
        self.txt = txt;
        Ok(self)
    }

    /// Sets the port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// What it is, without a subtype.
    pub fn kind(&self) -> &ServiceType {
        &self.kind
    }

    /// What it wants to be called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its subtypes, in lower case.
    pub fn subtypes(&self) -> &[String] {
        &self.subtypes
    }

    /// What else it says of itself.
    pub fn txt(&self) -> &TxtRecord {
        &self.txt
    }
}

/// A service that is published, never used twice while the node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicationId(pub(crate) u64);

/// A search for services, never used twice while the node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrowseId(pub(crate) u64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TxtError;

    fn http() -> ServiceType {
        ServiceType::tcp("http").unwrap()
    }

    #[test]
    fn a_name_has_1_to_63_bytes_and_no_control_character() {
        let name = |name: &str| Service::new(http(), name, 1).map(|service| service.name().to_owned());
        assert_eq!(name("Ben's \u{2603}. page\\"), Ok("Ben's \u{2603}. page\\".to_owned()));
        assert!(name(&"x".repeat(63)).is_ok());
        for wrong in ["", "tab\t", "\u{7f}", "\u{85}", &"x".repeat(64), &"\u{e4}".repeat(32)] {
            assert_eq!(name(wrong), Err(ServiceError::Name), "{wrong:?}");
        }
    }

    #[test]
    fn a_kind_that_breaks_the_rules_is_not_published() {
        for kind in ["_nvstream_dbd._tcp", "_a-name-of-16-abc._tcp", "_12345._udp", "_-x._tcp"] {
            assert_eq!(Service::new(kind.parse().unwrap(), "x", 1), Err(ServiceError::Kind), "{kind}");
        }
    }

    #[test]
    fn subtypes_are_counted_once_and_few() {
        let kind: ServiceType = "_printer._sub._ipp._tcp".parse().unwrap();
        let mut service = Service::new(kind, "x", 631).unwrap().with_subtype("_PRINTER").unwrap();
        assert_eq!((service.subtypes(), service.kind().subtype()), (&["_printer".to_owned()][..], None));
        assert_eq!(service.clone().with_subtype(""), Err(ServiceError::Subtype));
        for n in 1..Service::MAX_SUBTYPES {
            service = service.with_subtype(&n.to_string()).unwrap();
        }
        assert_eq!(service.with_subtype("one more"), Err(ServiceError::Subtypes));
    }

    #[test]
    fn what_was_received_and_is_too_long_is_not_published() {
        let values: Vec<(String, Vec<u8>)> = (0..6).map(|n| (format!("k{n}"), vec![0; 250])).collect();
        let long = TxtRecord::heard(values.iter().map(|(k, v)| (k.as_bytes(), TxtValue::Bytes(v))));
        assert!(long.size() > TxtRecord::MAX_SIZE);
        let service = Service::new(http(), "x", 1).unwrap();
        assert_eq!(service.with_txt(long), Err(ServiceError::Txt(TxtError::Size)));
    }
}
