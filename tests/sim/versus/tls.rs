//! The TLS of quinn's side: both ends prove an Ed25519 key, as ours do, and whose it is nobody asks.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use std::sync::Arc;

/// An Ed25519 key and its certificate.
pub struct Credentials {
    key: PrivatePkcs8KeyDer<'static>,
    chain: Vec<CertificateDer<'static>>,
}

impl Credentials {
    /// Of a fresh key.
    pub fn fresh() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("the system has randomness");
        Self::with(&key)
    }

    /// Of the key in these octets.
    pub fn of(pkcs8: &[u8]) -> Self {
        let key = PrivatePkcs8KeyDer::from(pkcs8);
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519);
        Self::with(&key.expect("a sound key"))
    }

    fn with(key: &rcgen::KeyPair) -> Self {
        let params = rcgen::CertificateParams::new(vec!["versus".to_owned()]).expect("a sound name");
        let certificate = params.self_signed(key).expect("a sound certificate");
        Self { key: key.serialize_der().into(), chain: vec![certificate.der().clone()] }
    }
}

/// All that the provider has.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// One suite and one group alone, so that whoever chooses chooses the same.
pub fn provider_of_one() -> Arc<CryptoProvider> {
    let cipher_suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let kx_groups = vec![ring::kx_group::X25519];
    Arc::new(CryptoProvider { cipher_suites, kx_groups, ..ring::default_provider() })
}

/// For a server of this protocol.
pub fn server(provider: Arc<CryptoProvider>, own: Credentials, alpn: &[u8]) -> ServerConfig {
    let verifier = Arc::new(AnyKey(provider.signature_verification_algorithms));
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.chain, own.key.into())
        .expect("a sound key");
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls
}

/// For a client of it.
pub fn client(provider: Arc<CryptoProvider>, own: Credentials, alpn: &[u8]) -> ClientConfig {
    let verifier = Arc::new(AnyKey(provider.signature_verification_algorithms));
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(own.chain, own.key.into())
        .expect("a sound key");
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls
}

/// Takes every key, and checks that the other side has it.
#[derive(Debug)]
struct AnyKey(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 alone".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
