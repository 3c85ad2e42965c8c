//! Facts from Livestatus about objects and contacts beside their state. Livestatus expands the macros in links by itself.

use super::{OBJECTS_MAX, Table, ask, filter, has_control, table::Row};
use crate::config::Livestatus;
use crate::model::object::Object;
use crate::monitoring::object_facts::{Answers, Facts};
use crate::system::order;
use std::collections::BTreeMap;

/// From the second column on: see [`of_object`].
const OBJECT: &str =
    "display_name action_url_expanded notes_url_expanded groups custom_variable_names custom_variable_values";

/// Fills in what is asked for; `None` when it gives no answer.
pub(in crate::monitoring) fn details(address: &Livestatus, answers: &mut Answers) -> Option<()> {
    fill(&|query: &str| ask(address, query), answers)
}

pub(super) fn fill(ask: &impl Fn(&str) -> Result<Table, String>, answers: &mut Answers) -> Option<()> {
    let object = |(host, service): &(String, String)| Object {
        core: String::new(),
        host: host.clone(),
        service: Some(service.clone()).filter(|service| !service.is_empty()),
    };
    // A newline in a name would be a header of the query; no core has such names.
    let wanted: Vec<Object> = answers.objects.keys().map(object).filter(|object| !has_control(object)).collect();
    let (services, hosts): (Vec<&Object>, Vec<&Object>) = wanted.iter().partition(|object| object.service.is_some());
    for some in hosts.chunks(OBJECTS_MAX) {
        let query = format!("GET hosts\nColumns: name {OBJECT} alias address\n{}", filter(some, "name", ""));
        for row in ask(&query).ok()?.rows() {
            if let Some(facts) = answers.objects.get_mut(&(row.text(0).to_owned(), String::new())) {
                *facts = Facts { alias: row.text(7).to_owned(), address: row.text(8).to_owned(), ..of_object(row, 1) };
            }
        }
    }
    for some in services.chunks(OBJECTS_MAX) {
        let query = format!(
            "GET services\nColumns: host_name description {OBJECT}\n{}",
            filter(some, "host_name", "description")
        );
        for row in ask(&query).ok()?.rows() {
            if let Some(facts) = answers.objects.get_mut(&(row.text(0).to_owned(), row.text(1).to_owned())) {
                *facts = of_object(row, 2);
            }
        }
    }
    if answers.contacts.is_empty() {
        return Some(());
    }
    let contacts = "GET contacts\nColumns: name email address1 custom_variable_names custom_variable_values\n";
    for row in ask(contacts).ok()?.rows() {
        if let Some(facts) = answers.contacts.get_mut(row.text(0)) {
            let (email, address) = (row.text(1).to_owned(), row.text(2).to_owned());
            *facts = Facts { email, address, vars: vars(row, 3), ..Facts::default() };
        }
    }
    for row in ask("GET contactgroups\nColumns: name members\n").ok()?.rows() {
        for member in row.texts(1) {
            if let Some(facts) = answers.contacts.get_mut(member) {
                facts.groups.push(row.text(0).to_owned());
            }
        }
    }
    Some(())
}

fn of_object(row: Row<'_>, from: usize) -> Facts {
    Facts {
        display_name: row.text(from).to_owned(),
        action_url: row.text(from + 1).to_owned(),
        notes_url: row.text(from + 2).to_owned(),
        groups: row.texts(from + 3).into_iter().map(str::to_owned).collect(),
        vars: vars(row, from + 4),
        ..Facts::default()
    }
}

/// Two columns: the names, and the values in their order.
fn vars(row: Row<'_>, from: usize) -> BTreeMap<String, String> {
    let names = row.texts(from).into_iter().map(str::to_ascii_lowercase);
    order::map(names.zip(row.texts(from + 1).into_iter().map(str::to_owned)))
}
