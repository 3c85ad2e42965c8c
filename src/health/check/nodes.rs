//! Judges the nodes that share an outbox, as each said last.

use super::{Facts, Finding, Level, span};
use crate::store::KnownNode;

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    findings.extend(judged(&facts.nodes));
    findings.extend(namesake(&facts.nodes, &facts.node, &facts.machine));
}

/// Whether a listener of another machine has this one's name.
pub(crate) fn namesake(nodes: &[KnownNode], name: &str, machine: &str) -> Option<Finding> {
    let is_one = |node: &&KnownNode| node.beat.name == name && node.beat.machine != machine && !node.is_gone();
    nodes.iter().find(is_one).map(|node| {
        let text =
            format!("another machine's listener has the name \"{name}\", too: seen {} ago", span(node.age_ms / 1000));
        Finding::new(Level::Critical, text)
            .remedy("give each listener a name of its own in [listen] node, and restart them")
    })
}

/// What is to be said about the nodes.
pub(crate) fn judged(nodes: &[KnownNode]) -> Vec<Finding> {
    let (alive, gone): (Vec<&KnownNode>, Vec<&KnownNode>) = nodes.iter().partition(|node| !node.is_gone());
    let mut findings: Vec<Finding> = gone.into_iter().map(missed).collect();
    let leader = alive.iter().copied().find(|node| node.leads);
    let others: Vec<&KnownNode> = alive.iter().copied().filter(|node| !node.leads).collect();
    let Some(reference) = leader.or_else(|| others.first().copied()) else { return findings };
    findings.push(match leader {
        Some(leader) if others.is_empty() => Finding::new(Level::Info, format!("node {} delivers", leader.beat.name)),
        Some(leader) => {
            let are = if others.len() == 1 { "is" } else { "are" };
            Finding::new(Level::Info, format!("node {} delivers; {} {are} ready", leader.beat.name, names(&others)))
        }
        None => Finding::new(Level::Warning, format!("no node delivers now; {} could", names(&others)))
            .remedy("one takes over within 15 s; else ackbell check on each of their machines"),
    });
    let known = &reference.beat;
    let differing = |differs: &dyn Fn(&KnownNode) -> bool| {
        let found: Vec<&KnownNode> = alive.iter().copied().filter(|node| differs(node)).collect();
        (!found.is_empty()).then(|| names(&found))
    };
    if let Some(names) = differing(&|node| node.beat.version != known.version) {
        let text = format!("not all nodes run ackbell {}, as {} does: {names}", known.version, known.name);
        findings.push(Finding::new(Level::Warning, text).remedy("install the same version on all machines"));
    }
    if let Some(names) = differing(&|node| node.beat.version == known.version && node.beat.config != known.config) {
        let text = format!("the configuration of node {} isn't that of {names}", known.name);
        let remedy = "compare ackbell config show on their machines; what is posted depends on which node delivers";
        findings.push(Finding::new(Level::Warning, text).remedy(remedy));
    }
    findings
}

fn missed(node: &KnownNode) -> Finding {
    let text = format!("node {} was last seen {} ago", node.beat.name, span(node.age_ms / 1000));
    Finding::new(Level::Warning, text)
        .remedy("on its machine: systemctl start ackbell; a node that was taken away is forgotten after a week")
}

fn names(nodes: &[&KnownNode]) -> String {
    nodes.iter().map(|node| &*node.beat.name).collect::<Vec<_>>().join(", ")
}
