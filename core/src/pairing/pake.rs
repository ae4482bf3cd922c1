//! The key exchange that a short code authenticates: suite 1, SPAKE2 over the Ed25519 group.
//!
//! It ends in a key whether or not both sides had the same code: only the confirmations prove anything.
//! Further suites are further variants of [`Suite`], behind the same two verbs.

use super::keys::{Ends, lp};
use crate::code::Code;
use crate::rng::Rng;
use curve25519_dalek::edwards::CompressedEdwardsY;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

/// The method's name on the wire.
pub(super) const METHOD_DIGITS: &str = "digits";

/// The name of the method that takes the other side's fingerprint for the proof, offered alone.
pub(super) const METHOD_TRUST: &str = "trust";

/// How a key is agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    /// The `spake2` crate, version 0.4: group Ed25519, the joiner is side A, the host side B.
    Spake2,
}

impl Suite {
    /// All that this version speaks, best first.
    pub(super) const OFFERED: [Self; 1] = [Self::Spake2];

    /// The number on the wire.
    pub(super) fn as_u8(self) -> u8 {
        match self {
            Self::Spake2 => 1,
        }
    }

    /// The suite of that number, if this version speaks it.
    pub(super) fn from_u8(number: u8) -> Option<Self> {
        Self::OFFERED.into_iter().find(|suite| suite.as_u8() == number)
    }
}

/// The peer sent bytes that are no sound point of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPoint;

/// One side of an exchange that is under way.
pub(super) struct Pake {
    state: Spake2<Ed25519Group>,
    own: [u8; 33],
}

impl Pake {
    /// The joiner's side.
    pub(super) fn joiner(ends: &Ends, code: &Code, rng: &mut Rng) -> Self {
        let (password, joiner, host) = inputs(ends, code);
        Self::started(Spake2::start_a_with_rng(&password, &joiner, &host, rng.as_rng_core()))
    }

    /// The host's side.
    pub(super) fn host(ends: &Ends, code: &Code, rng: &mut Rng) -> Self {
        let (password, joiner, host) = inputs(ends, code);
        Self::started(Spake2::start_b_with_rng(&password, &joiner, &host, rng.as_rng_core()))
    }

    fn started((state, message): (Spake2<Ed25519Group>, Vec<u8>)) -> Self {
        let own = message.try_into().expect("a side byte and a point of 32 bytes");
        Self { state, own }
    }

    /// What the other side must be sent: a side byte and a point.
    pub(super) fn point(&self) -> [u8; 33] {
        self.own
    }

    /// The shared key, from the other side's point.
    ///
    /// # Errors
    /// [`BadPoint`] for the wrong side's byte, for bytes that are no point, or not the one encoding of it,
    /// and for a point outside the group of prime order: the library takes all but the first two.
    pub(super) fn finish(self, theirs: &[u8; 33]) -> Result<Zeroizing<[u8; 32]>, BadPoint> {
        check_point(&theirs[1..])?;
        let shared = Zeroizing::new(self.state.finish(theirs).map_err(|_| BadPoint)?);
        Ok(Zeroizing::new(shared.as_slice().try_into().expect("SPAKE2 ends in a SHA-256")))
    }
}

fn inputs(ends: &Ends, code: &Code) -> (Password, Identity, Identity) {
    let password = Zeroizing::new([lp(b"pair/1"), lp(METHOD_DIGITS.as_bytes()), lp(code.digits())].concat());
    let joiner = Identity::new(&ends.joiner_identity());
    (Password::new(&*password), joiner, Identity::new(&ends.host_identity()))
}

fn check_point(bytes: &[u8]) -> Result<(), BadPoint> {
    let encoded = CompressedEdwardsY::from_slice(bytes).map_err(|_| BadPoint)?;
    let point = encoded.decompress().ok_or(BadPoint)?;
    let sound = point.compress() == encoded && !point.is_small_order() && point.is_torsion_free();
    if sound { Ok(()) } else { Err(BadPoint) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity as Device;
    use crate::pairing::keys::Exporter;
    use crate::rng::Seed;

    fn ends(exporter: u8) -> Ends {
        let key = |n| Device::from_entropy([n; 32]).public_key();
        Ends { exporter: Exporter::new([exporter; 32]), joiner: key(1), host: key(2) }
    }

    fn rng(label: &str) -> Rng {
        Rng::child(&Seed::new([9; 32]), label)
    }

    fn code(text: &str) -> Code {
        text.parse().unwrap()
    }

    /// The keys that both sides end with.
    fn exchange(joiner: (&Ends, &str), host: (&Ends, &str)) -> ([u8; 32], [u8; 32]) {
        let a = Pake::joiner(joiner.0, &code(joiner.1), &mut rng("a"));
        let b = Pake::host(host.0, &code(host.1), &mut rng("b"));
        let (point_a, point_b) = (a.point(), b.point());
        (*a.finish(&point_b).unwrap(), *b.finish(&point_a).unwrap())
    }

    #[test]
    fn the_same_code_over_the_same_connection_gives_the_same_key() {
        let (a, b) = exchange((&ends(7), "4821935"), (&ends(7), "4821935"));
        assert_eq!(a, b);
    }

    #[test]
    fn another_code_or_another_exporter_or_swapped_ends_give_another_key() {
        let (a, b) = exchange((&ends(7), "4821935"), (&ends(7), "0000000"));
        assert_ne!(a, b);
        let (a, b) = exchange((&ends(7), "4821935"), (&ends(8), "4821935"));
        assert_ne!(a, b);
        let swapped = Ends { joiner: ends(7).host, host: ends(7).joiner, ..ends(7) };
        let (a, b) = exchange((&ends(7), "4821935"), (&swapped, "4821935"));
        assert_ne!(a, b);
    }

    #[test]
    fn a_point_of_the_own_side_is_refused() {
        let a = Pake::joiner(&ends(7), &code("4821935"), &mut rng("a"));
        let own = a.point();
        assert_eq!(a.finish(&own).unwrap_err(), BadPoint);
    }

    #[test]
    fn unsound_points_are_refused() {
        use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
        // y = 1 + p: another encoding of the identity's y; and 3 + p, of a point of large order.
        let mut beyond = [0xff; 32];
        (beyond[0], beyond[31]) = (0xf0, 0x7f);
        let torsion = EIGHT_TORSION.map(|point| point.compress().0);
        let mixed = (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().0;
        let mut not_on_curve = [0; 32];
        not_on_curve[0] = 2;
        for bytes in torsion.into_iter().chain([mixed, not_on_curve, beyond]) {
            let mut point = [b'B'; 33];
            point[1..].copy_from_slice(&bytes);
            let a = Pake::joiner(&ends(7), &code("4821935"), &mut rng("a"));
            assert_eq!(a.finish(&point).unwrap_err(), BadPoint, "{bytes:02x?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_point() {
        let point = |label| Pake::joiner(&ends(7), &code("4821935"), &mut rng(label)).point();
        assert_eq!(point("a"), point("a"));
        assert_ne!(point("a"), point("b"));
    }
}
