//! Handshakes in memory, with certificates that nobody should have.

use super::*;
use rcgen::{CertificateParams, DistinguishedName, Issuer, PublicKeyData, SignatureAlgorithm, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::quic::{ClientConnection, Connection, ServerConnection, Version};

fn crypto() -> Crypto {
    Crypto::new(rustls::crypto::ring::default_provider())
}

fn tls(n: u8) -> Tls {
    let service = ServiceName::new("test").unwrap();
    Tls::new(crypto(), &Identity::from_entropy([n; 32]), service).unwrap()
}

/// What a dialler presents: any chain, with any key behind it.
#[derive(Debug)]
struct Presents(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// A dialler that presents this chain, and signs with the key of `pair`.
fn presenting(chain: Option<Vec<CertificateDer<'static>>>, pair: &rcgen::KeyPair) -> rustls::ClientConfig {
    let mut config = tls(1).client(Alpn::Data, Expect::Anyone).unwrap();
    let key = PrivatePkcs8KeyDer::from(pair.serialize_der());
    let key = crypto().provider.key_provider.load_private_key(key.into()).unwrap();
    let certified = chain.map(|chain| Arc::new(CertifiedKey::new(chain, key)));
    config.client_auth_cert_resolver = Arc::new(Presents(certified));
    config
}

/// Carries a handshake to its end, or to the first error of either side.
fn shake(client: rustls::ClientConfig, server: rustls::ServerConfig) -> Result<(), Error> {
    let name = ServerName::try_from("peer.invalid").unwrap();
    let client = ClientConnection::new(Arc::new(client), Version::V1, name, vec![]).unwrap();
    let server = ServerConnection::new(Arc::new(server), Version::V1, vec![]).unwrap();
    let (mut client, mut server) = (Connection::Client(client), Connection::Server(server));
    while client.is_handshaking() || server.is_handshaking() {
        let moved = [carry(&mut client, &mut server)?, carry(&mut server, &mut client)?];
        assert!(moved.contains(&true), "neither has anything to say");
    }
    Ok(())
}

/// Carries what one side has to say, each level of encryption for itself. Whether there was anything.
fn carry(from: &mut Connection, to: &mut Connection) -> Result<bool, Error> {
    let mut moved = false;
    loop {
        let mut said = Vec::new();
        let more = from.write_hs(&mut said).is_some();
        to.read_hs(&said)?;
        moved |= !said.is_empty();
        if !more && said.is_empty() {
            return Ok(moved);
        }
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
}

fn ed25519(n: u8) -> rcgen::KeyPair {
    let pkcs8 = Identity::from_entropy([n; 32]).to_pkcs8();
    rcgen::KeyPair::try_from(&pkcs8[..]).unwrap()
}

fn signed(params: &CertificateParams, pair: &rcgen::KeyPair) -> Vec<CertificateDer<'static>> {
    vec![params.self_signed(pair).unwrap().der().clone()]
}

#[test]
fn a_certificate_of_any_date_is_accepted() {
    for years in [(1970, 1971), (2000, 2999), (2900, 2901)] {
        let (mut params, pair) = (params(), ed25519(3));
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let client = presenting(Some(signed(&params, &pair)), &pair);
        assert_eq!(shake(client, tls(2).server(Role::Node).unwrap()), Ok(()), "{years:?}");
    }
}

#[test]
fn whoever_shows_no_certificate_is_turned_away() {
    let client = presenting(None, &ed25519(3));
    assert_eq!(shake(client, tls(2).server(Role::Node).unwrap()), Err(Error::NoCertificatesPresented));
}

#[test]
fn a_key_that_is_not_the_certificates_own_is_turned_away() {
    let client = presenting(Some(signed(&params(), &ed25519(4))), &ed25519(5));
    assert!(matches!(shake(client, tls(2).server(Role::Node).unwrap()), Err(Error::InvalidCertificate(_))));
}

/// The public key of another algorithm: nobody looks at its bytes.
struct Other(&'static SignatureAlgorithm);

impl PublicKeyData for Other {
    fn der_bytes(&self) -> &[u8] {
        &[0x55; 270]
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0
    }
}

#[test]
fn a_certificate_for_anything_but_ed25519_is_turned_away() {
    let pair = ed25519(3);
    for algorithm in [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_ECDSA_P256_SHA256] {
        let other = params().signed_by(&Other(algorithm), &Issuer::new(params(), &pair)).unwrap();
        let chain = vec![other.der().clone()];
        let client = presenting(Some(chain), &pair);
        let refused = Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        assert_eq!(shake(client, tls(2).server(Role::Node).unwrap()), refused);
    }
}

#[test]
fn a_chain_or_a_huge_certificate_is_turned_away_before_it_is_read() {
    let pair = ed25519(3);
    let one = signed(&params(), &pair);
    let mut huge = params();
    let names = (0..200).map(|n| rcgen::SanType::DnsName(format!("host-{n}.example").try_into().unwrap()));
    huge.subject_alt_names = names.collect();
    let huge = signed(&huge, &pair);
    assert!(huge[0].len() > MAX_CERTIFICATE);
    // What is not even a certificate: to be too large is seen first.
    let noise = vec![CertificateDer::from(vec![0x30; MAX_CERTIFICATE + 1])];
    for chain in [[one.clone(), one.clone()].concat(), vec![one[0].clone(); 50], huge, noise] {
        let client = presenting(Some(chain), &pair);
        let refused = Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        assert_eq!(shake(client, tls(2).server(Role::Node).unwrap()), refused);
    }
}

#[test]
fn a_listener_is_held_to_the_same() {
    #[derive(Debug)]
    struct Serves(Arc<CertifiedKey>);
    impl ResolvesServerCert for Serves {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }
    }
    let pair = ed25519(3);
    let one = signed(&params(), &pair);
    for (chain, is_sound) in [(one.clone(), true), ([one.clone(), one].concat(), false)] {
        let key = PrivatePkcs8KeyDer::from(pair.serialize_der());
        let key = crypto().provider.key_provider.load_private_key(key.into()).unwrap();
        let mut server = tls(2).server(Role::Node).unwrap();
        server.cert_resolver = Arc::new(Serves(Arc::new(CertifiedKey::new(chain, key))));
        let client = tls(1).client(Alpn::Data, Expect::Anyone).unwrap();
        assert_eq!(shake(client, server).is_ok(), is_sound);
    }
}

#[test]
fn a_key_that_is_banned_is_turned_away_by_whoever_banned_it() {
    let key = |n: u8| Identity::from_entropy([n; 32]).fingerprint();
    let dials = |client: &Tls, server: &Tls| {
        shake(client.client(Alpn::Pairing, Expect::Anyone).unwrap(), server.server(Role::Node).unwrap())
    };
    let (client, mut server) = (tls(1), tls(2));
    let refused = Err(Error::InvalidCertificate(CertificateError::Revoked));
    server.set_banned(BTreeSet::from([key(1), key(9)]));
    assert_eq!(dials(&client, &server), refused, "by the one who listens");
    assert_eq!(dials(&server, &client), refused, "and where that one dials");
    server.set_banned(BTreeSet::from([key(9)]));
    assert_eq!(dials(&client, &server), Ok(()));
}

#[test]
fn a_dialler_that_trusts_a_fingerprint_talks_to_that_key_alone() {
    for (expected, is_met) in [(2, true), (3, false)] {
        let expect = Expect::Print(Identity::from_entropy([expected; 32]).fingerprint());
        let client = tls(1).client(Alpn::Pairing, expect).unwrap();
        assert_eq!(shake(client, tls(2).server(Role::Node).unwrap()).is_ok(), is_met);
    }
}

/// Under such a key a forged signature verifies: it is refused for what it is, before any signature is looked at.
#[test]
fn a_certificate_for_a_key_of_small_order_is_turned_away() {
    let pair = ed25519(3);
    let sound = signed(&params(), &pair)[0].to_vec();
    let at = sound.windows(32).position(|octets| octets == pair.public_key_raw()).unwrap();
    for weak in curve25519_dalek::constants::EIGHT_TORSION {
        let mut certificate = sound.clone();
        certificate[at..at + 32].copy_from_slice(weak.compress().as_bytes());
        let client = presenting(Some(vec![certificate.into()]), &pair);
        let refused = Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        assert_eq!(shake(client, tls(2).server(Role::Node).unwrap()), refused);
    }
}
