//! The trusted CA certificates: the configured file's, else the distribution's, else Mozilla's as compiled in.

use super::environment::Environment;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// Where the distributions keep their bundle of CAs; the first that exists is read, once.
const CA_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The trusted certificates can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    #[error("can't read the CA certificates {}: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("no CA certificate in {}", .0.display())]
    NoCertificate(PathBuf),
    #[error("can't use the certificate's key {}: {reason}", .path.display())]
    Client { path: PathBuf, reason: String },
    #[error("TLS can't be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// How ureq is to speak TLS.
pub(crate) fn config(ca_file: Option<&Path>, env: &Environment) -> Result<TlsConfig, RootsError> {
    let roots = certificates(ca_file, env)?.map_or(RootCerts::WebPki, RootCerts::from);
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// The same, with a certificate chain of our own and its key, where there are any.
pub(crate) fn config_with_client(
    ca_file: Option<&Path>,
    client: Option<&(PathBuf, PathBuf)>,
    env: &Environment,
) -> Result<TlsConfig, RootsError> {
    let config = config(ca_file, env)?;
    let Some((cert, key)) = client else { return Ok(config) };
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|source| RootsError::Client { path: path.clone(), reason: source.to_string() })
    };
    let chain = certificates(Some(cert), env)?.unwrap_or_default();
    let unusable = |e: ureq::Error| RootsError::Client { path: key.clone(), reason: e.to_string() };
    let own_key = PrivateKey::from_pem(&read(key)?).map_err(unusable)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(config.root_certs().clone())
        .client_cert(Some(ClientCert::new_with_certs(&chain, own_key)))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

/// How rustls by itself is to speak TLS, with the same roots.
pub(crate) fn client(ca_file: Option<&Path>, env: &Environment) -> Result<Arc<ClientConfig>, RootsError> {
    let mut roots = RootCertStore::empty();
    match certificates(ca_file, env)? {
        Some(certificates) => {
            // A bundle may hold what this TLS can't use; the rest serves.
            let ders = certificates.iter().map(|certificate| CertificateDer::from_slice(certificate.der()));
            roots.add_parsable_certificates(ders);
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// The certificates of one bundle file: the configured one, else the first that the distribution has.
pub(crate) fn certificates(
    ca_file: Option<&Path>,
    env: &Environment,
) -> Result<Option<Vec<Certificate<'static>>>, RootsError> {
    let from_env = env.get("SSL_CERT_FILE").map(PathBuf::from);
    let found = ca_file
        .map(Path::to_owned)
        .or_else(|| from_env.filter(|path| path.exists()))
        .or_else(|| CA_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists()));
    let Some(path) = found else {
        return Ok(None);
    };
    let pem = fs::read(&path).map_err(|source| RootsError::File { path: path.clone(), source })?;
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|found| match found {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(RootsError::NoCertificate(path));
    }
    Ok(Some(certificates))
}
