//! The trusted CA certificates: the configured file's, else the distribution's, else Mozilla's as compiled in.

use super::environment::Environment;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

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
