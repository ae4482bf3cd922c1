use super::*;
use crate::identity::Identity;
use crate::rng::{Rng, Seed};
use data_encoding::HEXLOWER;
use proptest::prelude::*;

fn owner() -> Fingerprint {
    Identity::from_entropy([1; 32]).fingerprint()
}

fn secret(n: u8) -> PairSecret {
    PairSecret::from_bytes([n; 32])
}

fn rng() -> Rng {
    Rng::child(&Seed::new([5; 32]), "global")
}

fn addresses(n: usize) -> Vec<SocketAddr> {
    (0..n)
        .map(|n| {
            SocketAddr::new(
                [0x2001, 0xdb8, 0xaaaa, 0xbbbb, 0xcccc, 0xdddd, 0xeeee, 0x1000 + n as u16].into(),
                40_000,
            )
        })
        .collect()
}

/// Computed with Python's hashlib and hmac from the description of the key schedule.
#[test]
fn the_keys_of_look_ups_are_pinned() {
    let token = token(&secret(7), &owner());
    assert_eq!(HEXLOWER.encode(&token), "b7def61015efa73eb4e8fdd3582728cd7408e25cc5067ecefae4f94f02163689");
    assert_eq!(HEXLOWER.encode(&gate(&token)), "efbb1acfb5912d406bd3ea2294b68d0a");
    let wrapped = wrap(&secret(7), &owner(), &[0; 16], &[3; 24]);
    assert_eq!(HEXLOWER.encode(&wrapped), "9c57d30ef1ec2db432c45d4e8fa31b70");
}

#[test]
fn who_is_paired_reads_it_and_nobody_else() {
    let (secrets, there) = ([secret(1), secret(2), secret(3)], addresses(3));
    let (entries, sealed) = seal(&there, &secrets, &owner(), &mut rng());
    for secret in &secrets {
        assert_eq!(open(&entries, &sealed, secret, &owner()), Some(there.clone()));
    }
    assert_eq!(open(&entries, &sealed, &secret(4), &owner()), None);
    let other = Identity::from_entropy([2; 32]).fingerprint();
    assert_eq!(open(&entries, &sealed, &secret(1), &other), None);
}

#[test]
fn a_record_without_one_peer_disturbs_no_other_and_shuts_that_one_out() {
    let (there, mut rng) = (addresses(2), rng());
    let (before, _) = seal(&there, &[secret(1), secret(2)], &owner(), &mut rng);
    let (entries, sealed) = seal(&there, &[secret(2)], &owner(), &mut rng);
    assert_eq!(open(&entries, &sealed, &secret(2), &owner()), Some(there));
    assert_eq!(open(&entries, &sealed, &secret(1), &owner()), None);
    assert_eq!(open(&before, &sealed, &secret(1), &owner()), None, "the key is another");
}

#[test]
fn a_record_tells_neither_how_many_peers_nor_how_many_addresses_there_are() {
    for (peers, entries) in [(0, 4), (1, 4), (4, 4), (5, 8), (48, 48), (60, 48)] {
        let secrets: Vec<_> = (0..peers).map(secret).collect();
        assert_eq!(seal(&[], &secrets, &owner(), &mut rng()).0.len(), entries, "{peers} peers");
    }
    for (count, len) in [(0, 256), (5, 256), (9, 512), (16, 1024), (40, 1024)] {
        let (_, sealed) = seal(&addresses(count), &[secret(1)], &owner(), &mut rng());
        assert_eq!(sealed.ciphertext.len(), len + 16, "{count} addresses");
    }
}

#[test]
fn what_was_changed_after_it_was_sealed_is_not_read() {
    let (entries, sealed) = seal(&addresses(2), &[secret(1)], &owner(), &mut rng());
    for at in 0..sealed.ciphertext.len() {
        let mut changed = sealed.ciphertext.to_vec();
        changed[at] ^= 1;
        let changed = Sealed { ciphertext: changed.into(), ..sealed.clone() };
        assert_eq!(open(&entries, &changed, &secret(1), &owner()), None, "octet {at}");
    }
    let short = Sealed { ciphertext: sealed.ciphertext.slice(..8), ..sealed.clone() };
    assert_eq!(open(&entries, &short, &secret(1), &owner()), None);
}

proptest! {
    #[test]
    fn what_is_sealed_is_read(secrets in proptest::collection::vec(any::<[u8; 32]>(), 1..48), n in 0..=16_usize) {
        let secrets: Vec<_> = secrets.into_iter().map(PairSecret::from_bytes).collect();
        let (entries, sealed) = seal(&addresses(n), &secrets, &owner(), &mut rng());
        for secret in &secrets {
            prop_assert_eq!(open(&entries, &sealed, secret, &owner()), Some(addresses(n)));
        }
    }
}
