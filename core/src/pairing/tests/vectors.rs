//! Test vectors for other implementations, in `vectors.json`: made here, and used here as those would.
//!
mod derive;

use super::world::{HOST, JOINER, World};
use crate::ask::PairingReply;
use crate::code::{Code, CodeLength};
use crate::id::{Fingerprint, PeerId, PeerIdKind, PublicKey};
use crate::identity::Identity;
use crate::pairing::keys::{Ends, Exporter, Transcript};
use crate::rng::{Rng, Seed};
use crate::wire::frame::{Deframer, Frame};
use bytes::Bytes;
use curve25519_dalek::Scalar;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

const COMMITTED: &str = include_str!("../../vectors.json");

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vectors {
    about: Vec<String>,
    identities: Vec<IdentityVector>,
    codes: Vec<CodeVector>,
    pairings: Vec<PairingVector>,
}

/// What is made from the entropy of a key pair.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct IdentityVector {
    entropy: String,
    pkcs8: String,
    spki: String,
    peer_id_sha1: String,
    peer_id_sha256: String,
    fingerprint: String,
    fingerprint_hex: String,
    label: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CodeVector {
    random_digits: String,
    check_digit: String,
    shown: String,
}

/// All of one session by code.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PairingVector {
    quic_client: String,
    exporter: String,
    joiner_spki: String,
    host_spki: String,
    code: String,
    password: String,
    joiner_identity: String,
    host_identity: String,
    joiner_scalar: String,
    host_scalar: String,
    joiner_point: String,
    host_point: String,
    shared_key: String,
    transcript_hash: String,
    confirm_a_key: String,
    confirm_b_key: String,
    confirm_a: String,
    confirm_b: String,
    pair_id: String,
    pair_secret: String,
    frames: Vec<FrameVector>,
}

/// A message as it is on the pairing stream, its length included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FrameVector {
    from: String,
    message: String,
    bytes: String,
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn unhex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn committed() -> Vectors {
    serde_json::from_str(COMMITTED).unwrap()
}

impl IdentityVector {
    fn of(entropy: [u8; 32]) -> Self {
        let identity = Identity::from_entropy(entropy);
        let key = identity.public_key();
        Self {
            entropy: hex(entropy),
            pkcs8: hex(&*identity.to_pkcs8()),
            spki: hex(key.to_spki()),
            peer_id_sha1: key.peer_id(PeerIdKind::Sha1).to_string(),
            peer_id_sha256: key.peer_id(PeerIdKind::Sha256).to_string(),
            fingerprint: key.fingerprint().to_string(),
            fingerprint_hex: hex(key.fingerprint().as_bytes()),
            label: key.fingerprint().label(),
        }
    }
}

impl CodeVector {
    fn of(code: &Code) -> Self {
        let digits = String::from_utf8(code.digits().to_vec()).unwrap();
        let (random, check) = digits.split_at(digits.len() - 1);
        Self { random_digits: random.to_owned(), check_digit: check.to_owned(), shown: code.to_string() }
    }
}

/// A world in which all is fixed.
fn world() -> World {
    let mut world = World::new();
    world.exporters = [std::array::from_fn(|n| n as u8); 2];
    world
}

/// The bytes that the key exchange of a node draws, after its code, if it shows one, and its nonce.
fn scalar(n: usize) -> Scalar {
    let mut seed = [n as u8; 32];
    seed[31] = 0;
    let mut rng = Rng::child(&Seed::new(seed), "pairing");
    if n == HOST {
        Code::generate(&mut rng, CodeLength::Seven);
    }
    rng.bytes::<16>();
    Scalar::from_bytes_mod_order_wide(&rng.bytes())
}

impl PairingVector {
    /// Two engines pair; the rest is derived from what they were given and said.
    fn of(client: usize) -> Self {
        let mut world = world();
        let code = world.nodes[HOST].engine.host(world.now).unwrap();
        let entry = code.1.clone();
        let digits = String::from_utf8(entry.digits().to_vec()).unwrap();
        let wire = if client == HOST {
            let wire = world.dial(HOST, JOINER, code.0);
            world.run();
            answer_prompt(&mut world, entry);
            wire
        } else {
            let entry = world.join(JOINER, entry);
            world.dial(JOINER, HOST, entry)
        };
        world.run();
        world.assert_paired_alike();
        let vector = Self {
            quic_client: side(client),
            exporter: hex(world.exporters[0]),
            joiner_spki: hex(world.nodes[JOINER].key.to_spki()),
            host_spki: hex(world.nodes[HOST].key.to_spki()),
            code: digits,
            password: String::new(),
            joiner_identity: String::new(),
            host_identity: String::new(),
            joiner_scalar: hex(scalar(JOINER).as_bytes()),
            host_scalar: hex(scalar(HOST).as_bytes()),
            joiner_point: String::new(),
            host_point: String::new(),
            shared_key: String::new(),
            transcript_hash: String::new(),
            confirm_a_key: String::new(),
            confirm_b_key: String::new(),
            confirm_a: String::new(),
            confirm_b: String::new(),
            pair_id: String::new(),
            pair_secret: String::new(),
            frames: said(&world, wire),
        };
        let vector = vector.derive();
        for n in [HOST, JOINER] {
            let record = world.nodes[n].store.values().next().unwrap();
            assert_eq!(hex(record.pair_id.as_bytes()), vector.pair_id);
            assert_eq!(hex(record.secret.as_bytes()), vector.pair_secret);
        }
        vector
    }
}

fn side(n: usize) -> String {
    if n == HOST { "host" } else { "joiner" }.to_owned()
}

fn answer_prompt(world: &mut World, code: Code) {
    let token = world.nodes[JOINER].prompts.pop().unwrap();
    world.nodes[JOINER].engine.answer_pairing_request(world.now, token, PairingReply::Join(code));
}

/// Everything that was said on a wire, in order.
fn said(world: &World, wire: usize) -> Vec<FrameVector> {
    let frames = world.wires[wire].delivered.iter().map(|(_, bytes)| hex(bytes));
    let named = world.names(wire).into_iter().map(|(from, message)| (side(from), message));
    named.zip(frames).map(|((from, message), bytes)| FrameVector { from, message, bytes }).collect()
}

fn produced() -> Vectors {
    let mut rng = Rng::child(&Seed::new([1; 32]), "vectors");
    let counting: [u8; 32] = std::array::from_fn(|n| n as u8);
    let mut codes: Vec<Code> = ["0000000", "4821935", "000000000"].map(|c| c.parse().unwrap()).into();
    for length in [CodeLength::Seven, CodeLength::Nine].repeat(4) {
        codes.push(Code::generate(&mut rng, length));
    }
    let about = [
        "All bytes are hex. A pairing goes by code, suite 1: SPAKE2 of the spake2 crate 0.4 over Ed25519.",
        "Scalars are little-endian; points have their side in front, 41 for the joiner and 42 for the host.",
        "Frames are in the order in which they were sent, each with its length in front.",
        "The transcript ends with the fifth frame. The names of the other fields are those of the protocol.",
    ];
    Vectors {
        about: about.map(str::to_owned).into(),
        identities: [[1; 32], [2; 32], [0; 32], [0xff; 32], counting].map(IdentityVector::of).into(),
        codes: codes.iter().map(CodeVector::of).collect(),
        pairings: [JOINER, HOST].map(PairingVector::of).into(),
    }
}

#[test]
fn what_this_version_produces_is_what_is_committed() {
    let produced = produced();
    let text = serde_json::to_string_pretty(&produced).unwrap();
    assert!(produced == committed(), "this version produces other vectors:\n{text}");
}

#[test]
fn the_committed_identities_read_back() {
    for vector in committed().identities {
        let identity = Identity::from_pkcs8(&unhex(&vector.pkcs8)).unwrap();
        let key = PublicKey::from_spki(&unhex(&vector.spki)).unwrap();
        assert_eq!(identity.public_key(), key);
        assert_eq!(IdentityVector::of(unhex(&vector.entropy).try_into().unwrap()), vector);
        for name in [&vector.peer_id_sha1, &vector.peer_id_sha256] {
            assert!(key.is_named(&name.parse::<PeerId>().unwrap()), "{name}");
        }
        assert_eq!(vector.fingerprint.parse::<Fingerprint>(), Ok(key.fingerprint()));
    }
}

#[test]
fn the_committed_codes_are_taken_with_their_check_digit_and_with_no_other() {
    for vector in committed().codes {
        let taken: Vec<String> = (0..10)
            .map(|check| format!("{}{check}", vector.random_digits))
            .filter(|text| text.parse::<Code>().is_ok())
            .collect();
        assert_eq!(taken, [format!("{}{}", vector.random_digits, vector.check_digit)]);
        assert_eq!(CodeVector::of(&vector.shown.parse().unwrap()), vector);
    }
}

#[test]
fn the_committed_keys_follow_from_what_is_given_and_said() {
    for vector in committed().pairings {
        let key = |spki: &str| PublicKey::from_spki(&unhex(spki)).unwrap();
        let exporter = Exporter::new(unhex(&vector.exporter).try_into().unwrap());
        let ends = Ends { exporter, joiner: key(&vector.joiner_spki), host: key(&vector.host_spki) };
        let mut transcript = Transcript::begin(&ends);
        for frame in &vector.frames[..5] {
            transcript.add(&frame_of(frame));
        }
        let keys = transcript.keys(&unhex(&vector.shared_key).try_into().unwrap());
        assert_eq!(
            (hex(keys.confirm_a()), hex(keys.confirm_b())),
            (vector.confirm_a.clone(), vector.confirm_b.clone())
        );
        let agreed = keys.check_b(&unhex(&vector.confirm_b).try_into().unwrap()).unwrap();
        assert_eq!(hex(agreed.pair_id.as_bytes()), vector.pair_id);
        assert_eq!(hex(agreed.secret.as_bytes()), vector.pair_secret);
        assert_eq!(
            (hex(ends.joiner_identity()), hex(ends.host_identity())),
            (vector.joiner_identity, vector.host_identity)
        );
    }
}

fn frame_of(vector: &FrameVector) -> Frame {
    let mut bytes = Bytes::from(unhex(&vector.bytes));
    Deframer::default().next(&mut bytes).unwrap().unwrap()
}

/// One engine, and one that is played from the vectors.
#[test]
fn either_side_answers_the_committed_frames_of_the_other_with_its_own_and_is_paired() {
    for vector in committed().pairings {
        for own in [HOST, JOINER] {
            let mut world = world();
            let dials = vector.quic_client == side(own);
            let pairing = if own == HOST {
                world.host(HOST).0
            } else if dials {
                world.join(JOINER, vector.code.parse().unwrap())
            } else {
                crate::event::PairingId(0)
            };
            let wire = world.dial_by_hand(own, 1 - own, dials.then_some(pairing));
            world.run();
            for frame in vector.frames.iter().filter(|frame| frame.from != side(own)) {
                world.inject(wire, 1, unhex(&frame.bytes).into());
                world.run();
                if frame.message == "Open" && own == JOINER {
                    answer_prompt(&mut world, vector.code.parse().unwrap());
                    world.run();
                }
            }
            let by = |frames: &[FrameVector]| -> Vec<_> {
                frames.iter().filter(|frame| frame.from == side(own)).cloned().collect()
            };
            assert_eq!(by(&said(&world, wire)), by(&vector.frames), "{}", side(own));
            let paired: Vec<String> = world.nodes[own].paired().iter().map(|id| hex(id.as_bytes())).collect();
            assert_eq!(paired, std::slice::from_ref(&vector.pair_id));
        }
    }
}
