//! TLS without a reverse proxy: the certificate chain and its key, from their files.

use crate::config::TlsFiles;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("tls_cert {}: {source}", .path.display())]
    Cert { path: PathBuf, source: pem::Error },
    #[error("tls_cert {}: no certificate in it", .0.display())]
    NoCert(PathBuf),
    #[error("tls_key {}: {source}", .path.display())]
    Key { path: PathBuf, source: pem::Error },
    #[error("client_ca {}: {reason}", .path.display())]
    ClientCa { path: PathBuf, reason: String },
    #[error("tls_cert and tls_key can't be used together: {0}")]
    Pair(#[from] rustls::Error),
}

/// TLS 1.2 and 1.3 with this certificate.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let cert = |source| TlsError::Cert { path: files.cert.clone(), source };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(&files.cert).map_err(cert)?.collect::<Result<_, _>>().map_err(cert)?;
    if chain.is_empty() {
        return Err(TlsError::NoCert(files.cert.clone()));
    }
    let key = key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(client_verifier(path)?),
    };
    Ok(TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key)?)))
}

/// Asks everybody for a certificate; only relays must show one, as Slack and browsers have none of this CA.
fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let failed = |reason: String| TlsError::ClientCa { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
    for certificate in found {
        roots.add(certificate.map_err(|e| failed(e.to_string()))?).map_err(|e| failed(e.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.allow_unauthenticated().build().map_err(|e| failed(e.to_string()))
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| TlsError::Key { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_must_be_there_and_fit() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let files = TlsFiles {
                cert: directory.path().join(format!("{name}.pem")),
                key: directory.path().join(format!("{name}.key")),
                client_ca: None,
            };
            std::fs::write(&files.cert, made.cert.pem()).unwrap();
            std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
            files
        };
        let (one, two) = (make("one"), make("two"));
        assert!(acceptor(&one).is_ok());
        let error = |cert: &Path, key: &Path| {
            acceptor(&TlsFiles { cert: cert.to_owned(), key: key.to_owned(), client_ca: None })
                .err()
                .unwrap()
                .to_string()
        };
        assert!(error(&one.cert, &two.key).starts_with("tls_cert and tls_key can't be used together: "));
        assert!(error(&one.key, &one.key).ends_with("no certificate in it"));
        assert!(error(&one.cert, Path::new("/gone")).starts_with("tls_key /gone: "));
        assert!(error(Path::new("/gone"), &one.key).starts_with("tls_cert /gone: "));
        let with_ca = |path: &Path| acceptor(&TlsFiles { client_ca: Some(path.to_owned()), ..make("three") }).err();
        assert!(with_ca(&two.cert).is_none());
        assert!(with_ca(Path::new("/gone")).unwrap().to_string().starts_with("client_ca /gone: "));
        assert!(with_ca(&two.key).unwrap().to_string().starts_with("client_ca "), "no certificate in it");
    }
}
