//! Which network interfaces a node uses.

use super::matches_any;
use crate::io::Interface;

/// Which network interfaces a node uses, by their names.
///
/// A name is meant as it stands, case included; one that ends in `*` means all that begin with what is before
/// it: `docker*` means `docker0` too. Loopback is used only where [`Interfaces::allow`] has its exact name.
///
/// ```
/// use handfast_core::{Config, Interfaces, ServiceName};
///
/// let service = ServiceName::new("chat")?;
/// let wired = Config::new(service.clone()).with_interfaces(Interfaces::only(["en*", "eth0"]));
/// let no_containers = Config::new(service).with_interfaces(Interfaces::all_but(["docker*", "veth*"]));
/// # Ok::<(), handfast_core::error::ServiceNameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interfaces {
    /// Those that are used. Empty: all but loopback.
    pub allow: Vec<String>,
    /// Those that are not, though `allow` has them.
    pub deny: Vec<String>,
}

impl Interfaces {
    /// All but loopback: the default.
    pub fn all() -> Self {
        Self::default()
    }

    /// These, and no other.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { allow: names.into_iter().map(Into::into).collect(), deny: Vec::new() }
    }

    /// All but these and loopback.
    pub fn all_but<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::all().but(names)
    }

    /// The same without these.
    #[must_use]
    pub fn but<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.deny.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether an interface is used.
    pub fn uses(&self, interface: &Interface) -> bool {
        let name = &interface.name;
        let is_allowed = if interface.loopback {
            self.allow.contains(name)
        } else {
            self.allow.is_empty() || matches_any(&self.allow, name)
        };
        is_allowed && !self.denies(interface)
    }

    /// Whether an interface is among those that shall not be used.
    pub(crate) fn denies(&self, interface: &Interface) -> bool {
        matches_any(&self.deny, &interface.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(interfaces: &Interfaces, name: &str) -> bool {
        let (name, loopback) = (name.to_owned(), name.starts_with("lo"));
        interfaces.uses(&Interface { name, index: 1, loopback, addresses: Vec::new() })
    }

    #[test]
    fn all_interfaces_are_used_but_loopback() {
        assert!(uses(&Interfaces::all(), "eth0") && !uses(&Interfaces::all(), "lo"));
        assert_eq!(Interfaces::default(), Interfaces::all());
    }

    #[test]
    fn loopback_is_used_where_its_very_name_is_allowed() {
        assert!(uses(&Interfaces::only(["lo"]), "lo"));
        assert!(!uses(&Interfaces::only(["*"]), "lo") && !uses(&Interfaces::only(["l*"]), "lo"));
        assert!(!uses(&Interfaces::only(["lo"]).but(["lo"]), "lo"));
    }

    #[test]
    fn a_name_is_meant_as_it_stands_and_one_with_a_star_by_its_beginning() {
        let only = Interfaces::only(["eth0", "wl*"]);
        assert!(uses(&only, "eth0") && uses(&only, "wlan3") && uses(&only, "wl"));
        assert!(!uses(&only, "eth01") && !uses(&only, "ETH0") && !uses(&only, "awl"));
    }

    #[test]
    fn what_is_denied_is_not_used_though_it_is_allowed() {
        let but = Interfaces::all_but(["docker*", "tun0"]);
        assert!(uses(&but, "eth0") && uses(&but, "tun01"));
        assert!(!uses(&but, "docker0") && !uses(&but, "tun0") && !uses(&but, "lo"));
        let both = Interfaces::only(["eth*"]).but(["eth1"]);
        assert!(uses(&both, "eth0") && !uses(&both, "eth1") && !uses(&both, "wlan0"));
    }
}
