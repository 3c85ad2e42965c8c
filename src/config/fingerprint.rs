//! Whether two nodes have the same configuration, as far as they must: everything that changes what is posted, or who may do
//! what. What a machine has of its own (paths, addresses, tokens) isn't in it.

use super::Config;
use super::show::show_json;
use crate::system::host::host_name;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Of one machine.
const OWN_TABLES: [&str; 6] = ["file", "state_dir", "runtime_dir", "database", "listen", "relay"];
const OWN_OF_INTEGRATION: [&str; 6] = ["installed", "bot_token", "proxy", "ca_file", "connect_timeout", "timeout"];
const SHARED_OF_CORE: [&str; 3] = ["name", "url", "redundant"];

impl Config {
    /// A hash of what must be the same on all nodes; the same for the same text in each version of ackbell that shows it so.
    pub(crate) fn fingerprint(&self) -> String {
        let hash = Sha256::digest(shared(self).to_string());
        HEXLOWER.encode(&hash[..8])
    }
}

fn shared(config: &Config) -> Value {
    let mut all = show_json(config);
    without(&mut all, &OWN_TABLES);
    each(&mut all["integrations"], |integration| without(integration, &OWN_OF_INTEGRATION));
    // A comment more moves the lines.
    for rules in [&["routes"][..], &["escalate"], &["access", "rule"]] {
        let rules = rules.iter().fold(&mut all, |table, key| &mut table[*key]);
        each(rules, |rule| without(rule, &["line"]));
    }
    let core = |core: &Value| SHARED_OF_CORE.map(|key| core[key].clone());
    if config.deadman.as_ref().is_some_and(|deadman| deadman.name == host_name()) {
        without(&mut all["deadman"], &["name"]);
    }
    // The core that a machine finds by itself needs no table.
    let nothing = [json!(""), Value::Null, Value::Null];
    let cores = all["cores"].as_array().into_iter().flatten().map(core).filter(|core| *core != nothing);
    all["cores"] = json!(cores.collect::<Vec<_>>());
    all
}

fn each(list: &mut Value, change: impl Fn(&mut Value)) {
    list.as_array_mut().into_iter().flatten().for_each(change);
}

fn without(table: &mut Value, keys: &[&str]) {
    if let Some(table) = table.as_object_mut() {
        table.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, load};
    use crate::system::environment::Environment;
    use std::io::Write;

    fn parse(text: &str) -> Config {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        load(Some(file.path()), &Environment::default()).unwrap().0
    }

    #[test]
    fn what_is_posted_and_who_may_act_is_in_it_and_no_machines_own_things() {
        let first = "[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#c\"\n";
        let of = |text: &str| parse(text).fingerprint();
        let plain = of(first);
        for same in [
            format!("# a comment\n{first}"),
            first.replace("xoxb-1", "xoxb-2"),
            format!("{first}[listen]\nnode = \"b\"\nhttp = \"127.0.0.1:9\"\n"),
            format!("{first}[core]\ncommand_file = \"/x\"\n"),
        ] {
            assert_eq!(of(&same), plain, "{same}");
        }
        for other in [
            first.replace("#c", "#d"),
            format!("{first}[message]\ntitle = \"x\"\n"),
            format!("{first}[[route]]\nto = [\"#e\"]\n"),
            format!("{first}[access]\nask = \"#help\"\n"),
            format!("{first}[outbox]\nmax_age = \"1h\"\n"),
            format!("{first}[reactions]\nacknowledge = \"eyes\"\n"),
            format!("{first}[deadman]\nchannel = \"#c\"\nafter = \"10m\"\n"),
            format!("{first}[formatters.short]\ntitle = \"x\"\n"),
            format!("{first}[core]\nurl = \"https://mon/\"\n"),
        ] {
            assert_ne!(of(&other), plain, "{other}");
        }
    }

    #[test]
    fn a_rule_in_another_line_is_the_same_rule() {
        let rule = "[slack]\nbot_token = \"xoxb-1\"\n[[route]]\nto = [\"#e\"]\n";
        assert_eq!(parse(rule).fingerprint(), parse(&format!("\n\n{rule}")).fingerprint());
    }
}
