//! Avahi, in the namespace `b`.

use super::lab::{SERVICE, sh};
use handfast_tokio::PeerId;
use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};

/// Avahi in `b`; it ends when this is dropped.
pub(crate) struct Avahi(Child);

impl Drop for Avahi {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets Avahi publish a peer of this name.
///
/// # Errors
/// Where it is not installed.
pub(crate) fn avahi(peer: PeerId) -> io::Result<Avahi> {
    let config = "[server]\nhost-name=avahi\nuse-ipv6=yes\nallow-interfaces=eth0\nenable-dbus=no\n\
        disallow-other-stacks=no\n[wide-area]\nenable-wide-area=no\n[publish]\npublish-workstation=no\n";
    let service = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE service-group SYSTEM \"avahi-service.dtd\"><service-group><name>{peer}\
        </name><service><type>_{SERVICE}._udp</type><port>4242</port><txt-record>txtvers=1</txt-record></service>\
        </service-group>"
    );
    fs::write("/run/avahi.conf", config)?;
    // It insists that its folder is its user's, and the namespace has one user.
    fs::write("/run/passwd", "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n")?;
    fs::write("/run/group", "root:x:0:\navahi:x:0:\n")?;
    sh("mount --bind /run/passwd /etc/passwd && mount --bind /run/group /etc/group")?;
    // Over what the machine has: in a mount namespace of our own.
    sh("test -d /etc/avahi/services && mount -t tmpfs tmpfs /etc/avahi/services")?;
    fs::write("/etc/avahi/services/peer.service", service)?;
    let mut daemon = Command::new("nsenter");
    daemon.args([
        "--net=/run/netns/b",
        "avahi-daemon",
        "--file=/run/avahi.conf",
        "--no-drop-root",
        "--no-chroot",
    ]);
    let mut daemon =
        Avahi(daemon.args(["--no-rlimits"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn()?);
    // It probes for its names, and announces them, within about three seconds.
    std::thread::sleep(std::time::Duration::from_secs(5));
    match daemon.0.try_wait()? {
        None => Ok(daemon),
        Some(status) => Err(io::Error::other(format!("avahi-daemon: {status}"))),
    }
}
