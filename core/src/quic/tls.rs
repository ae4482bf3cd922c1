//! TLS 1.3 as this protocol uses it: mutual, self-signed Ed25519, the key pinned and the dates ignored.
//!
//! Never uses rustls' process-wide provider, resumes no session and sends no early data: resumption skips
//! the check of the client's certificate. RFC 8446, RFC 9001.

use crate::id::{Fingerprint, PeerId, PublicKey, ServiceName};
use crate::identity::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, KeyLog, SignatureScheme};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A certificate larger than this is turned away before it is parsed. Ours have about 300 bytes.
const MAX_CERTIFICATE: usize = 2048;

/// The cryptography that TLS uses: the operating system's randomness in drivers, seeded in tests.
#[derive(Clone, Debug)]
pub struct Crypto {
    provider: Arc<CryptoProvider>,
    key_log: Option<Arc<dyn KeyLog>>,
}

impl Crypto {
    /// Takes a rustls provider that has Ed25519 and TLS 1.3's AES-128-GCM, such as
    /// `rustls::crypto::ring::default_provider()`.
    pub fn new(provider: CryptoProvider) -> Self {
        Self { provider: Arc::new(provider), key_log: None }
    }

    /// Tells the secrets of every connection to a sink, as `SSLKEYLOGFILE` names them: who has them can read all that
    /// was said on those connections, and on no other. Off unless it is asked for.
    #[must_use]
    pub fn with_key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(log);
        self
    }
}

/// What a dialler and a listener agree on before anything is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// Peers that are paired, or find out that they are not.
    Data,
    /// Strangers that want to pair.
    Pairing,
    /// A node, and a discovery server: one request a stream, and neither a main stream nor labels.
    Disco,
}

/// What a listener offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// What nodes say to each other. Pairing is always offered, a window or not.
    Node,
    /// What a discovery server answers, and nothing else.
    Directory,
}

impl Role {
    fn offers(self) -> &'static [Alpn] {
        match self {
            Self::Node => &[Alpn::Data, Alpn::Pairing],
            Self::Directory => &[Alpn::Disco],
        }
    }
}

impl Alpn {
    /// The name on the wire.
    fn to_wire(self, service: &ServiceName) -> Vec<u8> {
        match self {
            Self::Data => format!("handfast/1:{service}").into_bytes(),
            Self::Pairing => format!("handfast-pair/1:{service}").into_bytes(),
            Self::Disco => b"handfast-disco/1".to_vec(),
        }
    }

    /// Reads the name.
    pub(crate) fn from_wire(name: &[u8], service: &ServiceName) -> Option<Self> {
        [Self::Data, Self::Pairing, Self::Disco].into_iter().find(|alpn| alpn.to_wire(service) == name)
    }
}

/// Whom a dialler means to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Exactly this key.
    Key(PublicKey),
    /// The key with this fingerprint: pairing with a peer that the user trusts.
    Print(Fingerprint),
    /// Any key of this name: pairing with a peer that discovery found.
    Id(PeerId),
    /// Whoever answers: pairing with an address that a person typed.
    Anyone,
}

impl Expect {
    fn is_met_by(&self, key: &PublicKey) -> bool {
        match self {
            Self::Key(expected) => expected == key,
            Self::Print(fingerprint) => key.fingerprint() == *fingerprint,
            Self::Id(id) => key.is_named(id),
            Self::Anyone => true,
        }
    }
}

/// Makes rustls configurations for one identity.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    key_log: Option<Arc<dyn KeyLog>>,
    own: Arc<SingleCertAndKey>,
    algorithms: WebPkiSupportedAlgorithms,
    service: ServiceName,
    banned: Arc<BTreeSet<Fingerprint>>,
}

impl Tls {
    /// Fails where the provider cannot sign with Ed25519.
    pub(crate) fn new(crypto: Crypto, identity: &Identity, service: ServiceName) -> Result<Self, Error> {
        let Crypto { provider, key_log } = crypto;
        let key = provider.key_provider.load_private_key(identity.private_key())?;
        let certified = CertifiedKey::new(vec![identity.certificate()], key);
        let algorithms = provider.signature_verification_algorithms;
        let (own, banned) = (Arc::new(certified.into()), Arc::default());
        Ok(Self { provider, key_log, own, algorithms, service, banned })
    }

    /// Turns these keys away, in the configurations that are made from here on.
    pub(crate) fn set_banned(&mut self, banned: BTreeSet<Fingerprint>) {
        self.banned = Arc::new(banned);
    }

    fn verifier(&self, expect: Expect) -> Arc<PeerVerifier> {
        let (banned, algorithms) = (Arc::clone(&self.banned), self.algorithms);
        Arc::new(PeerVerifier { expect, banned, algorithms })
    }

    /// The configuration of the listening side.
    pub(crate) fn server(&self, role: Role) -> Result<rustls::ServerConfig, Error> {
        let verifier = self.verifier(Expect::Anyone);
        let own: Arc<dyn ResolvesServerCert> = self.own.clone();
        let mut config = rustls::ServerConfig::builder_with_details(self.provider.clone(), Arc::new(NoClock))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(own);
        config.alpn_protocols = role.offers().iter().map(|alpn| alpn.to_wire(&self.service)).collect();
        if let Some(log) = &self.key_log {
            config.key_log = Arc::clone(log);
        }
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// The configuration of one dial.
    pub(crate) fn client(&self, alpn: Alpn, expect: Expect) -> Result<rustls::ClientConfig, Error> {
        let verifier = self.verifier(expect);
        let own: Arc<dyn ResolvesClientCert> = self.own.clone();
        let mut config = rustls::ClientConfig::builder_with_details(self.provider.clone(), Arc::new(NoClock))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(own);
        config.alpn_protocols = vec![alpn.to_wire(&self.service)];
        if let Some(log) = &self.key_log {
            config.key_log = Arc::clone(log);
        }
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        config.enable_sni = false;
        Ok(config)
    }
}

/// Certificate dates are ignored, so that a broken clock locks nobody out.
#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

/// Accepts one self-signed Ed25519 certificate without a chain, whose key signed the handshake and is not banned.
#[derive(Debug)]
struct PeerVerifier {
    expect: Expect,
    banned: Arc<BTreeSet<Fingerprint>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    fn check(&self, certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !chain.is_empty() || certificate.len() > MAX_CERTIFICATE {
            return Err(CertificateError::BadEncoding.into());
        }
        let key = public_key(certificate)?;
        if !self.expect.is_met_by(&key) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        if !self.banned.is_empty() && self.banned.contains(&key.fingerprint()) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(())
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = accepted_key(certificate)?.to_spki();
        let spki = SubjectPublicKeyInfoDer::from(spki.as_slice());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.algorithms)
    }
}

/// The key that a certificate carries.
pub(crate) fn public_key(certificate: &CertificateDer<'_>) -> Result<PublicKey, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    PublicKey::from_spki(&parsed.subject_public_key_info()).map_err(|_| CertificateError::BadEncoding.into())
}

/// The same of one that [`PeerVerifier::check`] has accepted: TLS asks for that before all else.
pub(crate) fn accepted_key(certificate: &CertificateDer<'_>) -> Result<PublicKey, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let key = PublicKey::from_sound_spki(&parsed.subject_public_key_info());
    key.map_err(|_| CertificateError::BadEncoding.into())
}

/// The one scheme that is offered and accepted.
const SCHEMES: [SignatureScheme; 1] = [SignatureScheme::ED25519];

/// TLS 1.2 is not in any configuration of ours.
fn no_tls12() -> Error {
    Error::General("TLS 1.2 is not spoken".into())
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

#[cfg(any(fuzzing, test))]
pub(super) mod fuzz;

#[cfg(test)]
mod tests;
