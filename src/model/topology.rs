//! Which hosts are reached through which, as the core's objects say: parents, and what hangs below them. Pure.
//!
//! A host that can be reached another way hangs below nothing. Icinga 2 has dependencies that aren't other ways: a host with
//! several groups needs a host of each. Parents that form a ring or name nobody make nothing hang.

use std::collections::{HashMap, HashSet};

/// No real network is so deep; what lies further up is not looked at.
const HOSTS_LOOKED_AT: usize = 100;

/// The parents of a core's hosts, and how many services each host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    /// Groups by their names; one of each is needed.
    parents: HashMap<String, Vec<(String, Vec<String>)>>,
    children: HashMap<String, Vec<String>>,
    services: HashMap<String, u32>,
}

impl Topology {
    /// One more parent of a host, each of which is a way to it.
    pub(crate) fn add_parent(&mut self, host: &str, parent: &str) {
        self.add_parent_of(host, "", parent);
    }

    /// One more parent of a group.
    pub(crate) fn add_parent_of(&mut self, host: &str, group: &str, parent: &str) {
        let groups = self.parents.entry(host.to_owned()).or_default();
        if host.is_empty() || parent.is_empty() {
            return;
        }
        let at = groups.iter().position(|(name, _)| name == group).unwrap_or_else(|| {
            groups.push((group.to_owned(), Vec::new()));
            groups.len() - 1
        });
        if groups[at].1.iter().any(|known| known == parent) {
            return;
        }
        groups[at].1.push(parent.to_owned());
        self.children.entry(parent.to_owned()).or_default().push(host.to_owned());
    }

    /// One more service of a host.
    pub(crate) fn add_service(&mut self, host: &str) {
        *self.services.entry(host.to_owned()).or_default() += 1;
    }

    /// The hosts that have no way but through this one.
    pub(crate) fn behind(&self, host: &str) -> HashSet<&str> {
        let (mut found, mut next): (HashSet<&str>, Vec<&str>) = (HashSet::new(), vec![host]);
        while let Some(above) = next.pop() {
            for child in self.children.get(above).into_iter().flatten().map(String::as_str) {
                let is_gone = |parent: &String| parent == host || found.contains(parent.as_str());
                let mut groups = self.parents.get(child).into_iter().flatten();
                if child != host && groups.any(|(_, parents)| parents.iter().all(is_gone)) && found.insert(child) {
                    next.push(child);
                }
            }
        }
        found
    }

    /// How many hosts hang below this one, and how many services those have.
    pub(crate) fn count_behind(&self, host: &str) -> (u32, u32) {
        let hosts = self.behind(host);
        let services = hosts.iter().map(|host| self.services.get(*host).copied().unwrap_or(0)).sum();
        (u32::try_from(hosts.len()).unwrap_or(u32::MAX), services)
    }

    /// The nearest host that is down above this one, if every way to it leads through one that is.
    pub(crate) fn cause<'a>(&'a self, host: &str, is_down: &mut dyn FnMut(&str) -> bool) -> Option<&'a str> {
        let mut looked = Looked { topology: self, is_down, known: HashMap::new() };
        looked.above(self.parents.get_key_value(host)?.0)
    }
}

/// One look upwards.
struct Looked<'a, 'b> {
    topology: &'a Topology,
    is_down: &'b mut dyn FnMut(&str) -> bool,
    /// What was found above a host; of one that is being looked at nothing yet, so a ring ends.
    known: HashMap<&'a str, Option<&'a str>>,
}

impl<'a> Looked<'a, '_> {
    fn above(&mut self, host: &'a str) -> Option<&'a str> {
        if let Some(known) = self.known.get(host) {
            return *known;
        }
        if self.known.len() >= HOSTS_LOOKED_AT {
            return None;
        }
        self.known.insert(host, None);
        let groups = self.topology.parents.get(host).map(Vec::as_slice).unwrap_or_default();
        let nearest = groups.iter().find_map(|(_, parents)| self.nearest_of(parents));
        self.known.insert(host, nearest);
        nearest
    }

    /// The first that is down, if none of them is a way.
    fn nearest_of(&mut self, parents: &'a [String]) -> Option<&'a str> {
        let mut nearest = None;
        for parent in parents {
            let found = if (self.is_down)(parent) { Some(parent.as_str()) } else { self.above(parent) };
            // Another way is open.
            let found = found?;
            nearest.get_or_insert(found);
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(edges: &[(&str, &str)]) -> Topology {
        let mut topology = Topology::default();
        for (host, parent) in edges {
            topology.add_parent(host, parent);
        }
        topology
    }

    fn cause<'a>(topology: &'a Topology, host: &str, down: &[&str]) -> Option<&'a str> {
        topology.cause(host, &mut |name| down.contains(&name))
    }

    #[test]
    fn what_has_another_way_hangs_below_nothing() {
        let mut net = topology(&[
            ("sw1", "core"),
            ("sw2", "core"),
            ("web", "sw1"),
            ("db", "sw1"),
            ("db", "sw2"),
            ("disk", "web"),
        ]);
        net.add_service("web");
        net.add_service("web");
        net.add_service("disk");
        assert_eq!(net.count_behind("sw1"), (2, 3), "web and disk; db is reached by sw2");
        assert_eq!(net.count_behind("core").0, 5);
        assert_eq!(cause(&net, "disk", &["sw1"]), Some("sw1"), "web may be unreachable and unheard of");
        assert_eq!(cause(&net, "disk", &["sw1", "web"]), Some("web"), "the nearest");
        assert_eq!(cause(&net, "db", &["sw1"]), None);
        assert_eq!(cause(&net, "db", &["sw1", "sw2"]), Some("sw1"));
        assert_eq!(cause(&net, "db", &["core"]), Some("core"));
        assert_eq!(cause(&net, "core", &["core"]), None);
        assert_eq!(cause(&net, "unknown", &["core"]), None);
    }

    #[test]
    fn one_of_each_group_is_needed() {
        let mut net = topology(&[("web", "sw1"), ("web", "sw2")]);
        net.add_parent_of("web", "power", "ups");
        net.add_parent_of("web", "power", "ups");
        assert_eq!((net.count_behind("ups").0, net.count_behind("sw1").0), (1, 0));
        assert_eq!(cause(&net, "web", &["sw1"]), None);
        assert_eq!(cause(&net, "web", &["sw1", "ups"]), Some("ups"));
        assert_eq!(cause(&net, "web", &["sw1", "sw2"]), Some("sw1"));
    }

    #[test]
    fn rings_and_parents_that_are_nobody_end() {
        let net = topology(&[
            ("a", "b"),
            ("b", "a"),
            ("c", "c"),
            ("d", "nobody"),
            ("e", "a"),
            ("e", "e"),
            ("", "a"),
            ("f", ""),
        ]);
        for host in ["a", "b", "c", "d", "e", "f", "nobody"] {
            let _ = net.count_behind(host);
            assert_eq!(cause(&net, host, &[]), None, "{host}");
        }
        assert_eq!(cause(&net, "a", &["b"]), Some("b"));
        assert_eq!(cause(&net, "e", &["a"]), None, "its other parent is itself");
        assert_eq!(net.count_behind("nobody"), (1, 0));
        let mut net = Topology::default();
        for number in 0..100_000 {
            net.add_parent(&number.to_string(), &(number + 1).to_string());
        }
        assert_eq!(net.cause("0", &mut |name| name == "100000"), None, "too far");
        assert_eq!(net.count_behind("100000").0, 100_000);
    }
}
