//! TLS by ackbell itself, and a certificate that is renewed.

use super::{Door, PAYLOAD, SECRET, assert_status, hear, now, post, signed};
use crate::answers::certificate;
use crate::harness::site::Site;
use crate::harness::wait;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// What a client that trusts only this certificate is answered.
fn ask(door: &Door, trusted: &Path, request: &[u8]) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(door.address).unwrap());
    stream.write_all(request).map_err(|e| e.to_string())?;
    Ok(hear(&mut stream))
}

fn health() -> Vec<u8> {
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec()
}

#[test]
#[ignore = "slow: tests/run"]
fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(directory.path());
    let old = directory.path().join("old.pem");
    fs::copy(&cert, &old).unwrap();
    let door = Door::with(SECRET, &format!("tls_cert = \"{}\"\ntls_key = \"{}\"\n", cert.display(), key.display()));
    let request = post("/slack/request", &signed(SECRET, now(), PAYLOAD.as_bytes()), PAYLOAD);
    assert_status(&ask(&door, &old, &request).unwrap(), 200);
    assert!(super::statuses(&door.say(&health())).is_empty(), "no plain HTTP beside it");

    fs::write(&cert, "not a certificate").unwrap();
    wait::until("the refusal", || door.site.log().contains("new certificate refused"));
    assert_status(&ask(&door, &old, &health()).unwrap(), 200);

    certificate(directory.path());
    wait::until("the new one", || ask(&door, &cert, &health()).is_ok());
    assert!(ask(&door, &old, &health()).unwrap_err().contains("invalid peer certificate"));
}

#[test]
fn an_unusable_certificate_closes_that_door_only() {
    let site = Site::new(&super::config(SECRET, "tls_cert = \"gone.pem\"\ntls_key = \"gone.key\"\n"));
    let listener = site.listen();
    let log = site.log();
    assert!(log.contains("can't open http") && log.contains("gone.pem: ") && log.contains("remedy="), "{log}");
    assert_eq!(listener.stop(), Some(0));
}
