//! Which kind of service: `_ipp._tcp`, or a subtype of one. RFC 6763 §4.1.2, §7, §7.1.

use crate::error::ServiceTypeError;
use crate::id::ServiceName;
use std::fmt;
use std::str::FromStr;

/// The longest label of DNS, in bytes. RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

/// What a service runs over, as DNS-SD tells it. RFC 6763 §7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// Anything else, be it UDP or not.
    Udp,
}

impl Protocol {
    /// The label of DNS-SD.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Tcp => "_tcp",
            Self::Udp => "_udp",
        }
    }
}

/// A kind of service, such as `_ipp._tcp`, or a subtype of one, such as `_printer._sub._ipp._tcp`.
///
/// Compared without regard to ASCII case, and kept in lower case. What is looked for may have a name that
/// breaks the rules, since devices exist that do; what is published may not: see
/// [`ServiceType::is_publishable`].
///
/// ```
/// use handfast_core::ServiceType;
///
/// let kind: ServiceType = "_printer._sub._IPP._tcp".parse()?;
/// assert_eq!(kind.to_string(), "_printer._sub._ipp._tcp");
/// assert_eq!(kind.base(), ServiceType::tcp("ipp")?);
/// # Ok::<(), handfast_core::error::ServiceTypeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceType {
    /// Without its underscore.
    name: String,
    protocol: Protocol,
    subtype: Option<String>,
}

impl ServiceType {
    /// A kind that runs over TCP. The name comes without underscore: 1 to 62 printable characters of ASCII,
    /// except space, `.` and `\`.
    ///
    /// # Errors
    /// [`ServiceTypeError::Alphabet`], [`ServiceTypeError::Length`].
    pub fn tcp(name: &str) -> Result<Self, ServiceTypeError> {
        Self::new(name, Protocol::Tcp)
    }

    /// A kind that runs over anything else.
    ///
    /// # Errors
    /// As [`ServiceType::tcp`].
    pub fn udp(name: &str) -> Result<Self, ServiceTypeError> {
        Self::new(name, Protocol::Udp)
    }

    fn new(name: &str, protocol: Protocol) -> Result<Self, ServiceTypeError> {
        // The underscore is a part of the label.
        if name.is_empty() || name.len() >= MAX_LABEL {
            return Err(ServiceTypeError::Length);
        }
        if !name.bytes().all(|b| b.is_ascii_graphic() && b != b'.' && b != b'\\') {
            return Err(ServiceTypeError::Alphabet);
        }
        Ok(Self { name: name.to_ascii_lowercase(), protocol, subtype: None })
    }

    /// A subtype of this kind: any text of 1 to 63 bytes without control characters. Most begin with an
    /// underscore, which is a part of them. RFC 6763 §7.1.
    ///
    /// # Errors
    /// [`ServiceTypeError::Subtype`].
    pub fn with_subtype(mut self, subtype: &str) -> Result<Self, ServiceTypeError> {
        if subtype.is_empty() || subtype.len() > MAX_LABEL || subtype.chars().any(char::is_control) {
            return Err(ServiceTypeError::Subtype);
        }
        self.subtype = Some(subtype.to_ascii_lowercase());
        Ok(self)
    }

    /// The kind that this is a subtype of, or else the same.
    #[must_use]
    pub fn base(&self) -> Self {
        Self { subtype: None, ..self.clone() }
    }

    /// Its name, without underscore.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it runs over.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Its subtype.
    pub fn subtype(&self) -> Option<&str> {
        self.subtype.as_deref()
    }

    /// Whether the name is as RFC 6335 §5.1 wants it: 1 to 15 letters, digits and hyphens, with a letter; no
    /// hyphen at an end, nor two together.
    pub fn is_publishable(&self) -> bool {
        ServiceName::new(&self.name).is_ok()
    }
}

impl From<&ServiceName> for ServiceType {
    /// The kind under which the peers of an application find each other.
    fn from(name: &ServiceName) -> Self {
        Self { name: name.as_str().to_owned(), protocol: Protocol::Udp, subtype: None }
    }
}

impl FromStr for ServiceType {
    type Err = ServiceTypeError;

    /// Reads `_ipp._tcp` or `_printer._sub._ipp._tcp`, without a domain. In a subtype `.` and `\` are escaped by
    /// a `\`.
    fn from_str(text: &str) -> Result<Self, ServiceTypeError> {
        let labels = labels(text).ok_or(ServiceTypeError::Form)?;
        let (subtype, name, protocol) = match &labels[..] {
            [name, protocol] => (None, name, protocol),
            [subtype, sub, name, protocol] if sub.eq_ignore_ascii_case("_sub") => {
                (Some(subtype), name, protocol)
            }
            _ => return Err(ServiceTypeError::Form),
        };
        let known = |known: &Protocol| protocol.eq_ignore_ascii_case(known.label());
        let protocol =
            [Protocol::Tcp, Protocol::Udp].into_iter().find(known).ok_or(ServiceTypeError::Form)?;
        let kind = Self::new(name.strip_prefix('_').ok_or(ServiceTypeError::Form)?, protocol)?;
        match subtype {
            Some(subtype) => kind.with_subtype(subtype),
            None => Ok(kind),
        }
    }
}

/// What stands between the dots that are not escaped. `None` for a `\` at the end.
fn labels(text: &str) -> Option<Vec<String>> {
    let mut labels = vec![String::new()];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, labels.last_mut()) {
            ('\\', Some(label)) => label.push(rest.next()?),
            (c, Some(label)) if c != '.' => label.push(c),
            (_, _) => labels.push(String::new()),
        }
    }
    Some(labels)
}

impl fmt::Display for ServiceType {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subtype) = &self.subtype {
            write!(f, "{}._sub.", subtype.replace('\\', r"\\").replace('.', r"\."))?;
        }
        write!(f, "_{}.{}", self.name, self.protocol.label())
    }
}

impl fmt::Debug for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceType({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<ServiceType, ServiceTypeError> {
        text.parse()
    }

    #[test]
    fn kinds_are_read_whatever_their_case_and_shown_in_lower_case() {
        for (text, shown) in [
            ("_IPP._TCP", "_ipp._tcp"),
            ("_nvstream_dbd._tcp", "_nvstream_dbd._tcp"),
            ("_Printer._SUB._ipp._tcp", "_printer._sub._ipp._tcp"),
            (r"a\.b\\c._sub._ipp._udp", r"a\.b\\c._sub._ipp._udp"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_kind_is_refused() {
        use ServiceTypeError::{Alphabet, Form, Length, Subtype};
        let long = format!("_{}._tcp", "x".repeat(63));
        for (text, error) in [
            ("", Form),
            ("_ipp", Form),
            ("ipp._tcp", Form),
            ("_ipp._sctp", Form),
            ("_ipp._tcp.local", Form),
            ("_a._b._ipp._tcp", Form),
            ("_services._dns-sd._udp", Form),
            (r"_ipp._tcp\", Form),
            ("_._tcp", Length),
            (&long, Length),
            ("_a b._tcp", Alphabet),
            (r"_a\.b._tcp", Alphabet),
            ("_\u{e4}._tcp", Alphabet),
            ("._sub._ipp._tcp", Subtype),
            ("\t._sub._ipp._tcp", Subtype),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_kind_that_is_published_has_15_letters_digits_and_hyphens_at_most() {
        for (name, may) in
            [("x", true), ("a-name-of-15-ab", true), ("a-name-of-16-abc", false), ("a_b", false)]
        {
            assert_eq!(ServiceType::tcp(name).unwrap().is_publishable(), may, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_kind_reads_back_from_what_is_shown(
            name in "[!-\\-/-\\[\\]-~]{1,62}",
            udp in any::<bool>(),
            subtype in prop::option::of("[^\\p{Cc}]{1,15}"),
        ) {
            let kind = if udp { ServiceType::udp(&name) } else { ServiceType::tcp(&name) }.unwrap();
            let kind = subtype.iter().fold(kind, |kind, subtype| kind.with_subtype(subtype).unwrap());
            prop_assert_eq!(kind.to_string().parse(), Ok(kind));
        }

        #[test]
        fn any_text_is_a_kind_that_reads_back_or_none(text in "(_?[a-c.\\\\_]{0,6}\\.)?_[a-c\\\\.]{1,5}\\._(tcp|udp)") {
            if let Ok(kind) = parse(&text) {
                prop_assert_eq!(parse(&kind.to_string()), Ok(kind));
            }
        }
    }
}
