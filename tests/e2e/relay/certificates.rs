//! A centre that wants a certificate of its relays, beside their token.

use super::TOKEN;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::process::{free_port, text};
use crate::harness::site::Site;
use crate::harness::wait;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::Path;

/// A CA, and a certificate of it for somebody: `NAME-ca.pem`, `NAME.pem`, `NAME.key`.
fn certificate(directory: &Path, name: &str) {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&key, &Issuer::new(params, ca_key)).unwrap();
    for (ending, content) in [("-ca.pem", ca.pem()), (".pem", own.pem()), (".key", key.serialize_pem())] {
        fs::write(directory.join(format!("{name}{ending}")), content).unwrap();
    }
}

#[test]
fn a_token_without_a_certificate_of_the_right_ca_is_nothing() {
    let port = free_port();
    let mut night = OnCall::prepare(Way::SocketMode, "500");
    let there = night.site.dir.path().to_owned();
    certificate(&there, "centre");
    certificate(&there, "relay");
    certificate(&there, "another");
    night.begin(&format!(
        "[listen]\nhttp = \"127.0.0.1:{port}\"\ntls_cert = \"centre.pem\"\ntls_key = \"centre.key\"\nclient_ca = \"relay-ca.pem\"\n\
         [cores.branch]\nrelay_token = \"{TOKEN}\"\n"
    ));
    let path = |name: &str| there.join(name).display().to_string();
    let config = |more: &str| {
        format!(
            "[relay]\nto = \"https://127.0.0.1:{port}\"\ntoken = \"{TOKEN}\"\nca_file = \"{}\"\n{more}{}",
            path("centre-ca.pem"),
            PlayedCore::CONFIG
        )
    };
    let client = |name: &str| {
        config(&format!(
            "client_cert = \"{}\"\nclient_key = \"{}\"\n",
            path(&format!("{name}.pem")),
            path(&format!("{name}.key"))
        ))
    };
    let site = Site::new(&config(""));
    let core = PlayedCore::start(site.dir.path());
    let none = text(&site.run(&["doctor"]).stdout);
    assert!(none.contains("doesn't let this relay in (403): it wants a certificate"), "{none}");
    site.configure(&client("another"));
    let other = text(&site.run(&["doctor"]).stdout);
    assert!(!other.contains("takes this relay's token"), "{other}");
    core.set("web01", "Disk", 2);
    site.service("PROBLEM", "web01", "Disk", "CRITICAL", "kept");
    assert_eq!(site.spooled("new"), 1);
    site.configure(&client("relay"));
    let relay = site.listen();
    let card = night.expect("CRITICAL: Disk on web01");
    wait::until("the relay", || {
        fs::read_to_string(night.site.state("listener.json")).unwrap().contains("\"connected\":true")
    });
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    // Slack and whoever looks after the listener need none.
    let health = std::process::Command::new("curl")
        .args(["-sk", &format!("https://127.0.0.1:{port}/healthz")])
        .output()
        .unwrap();
    assert_eq!(text(&health.stdout), "ok\n");
    drop(relay);
}
