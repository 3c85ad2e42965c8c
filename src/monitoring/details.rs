//! Facts about a core's objects and contacts: display name, alias, address, groups, links, custom
//! variables, e-mail. Anybody who may edit an object writes these, and no core takes a quote out of them, so they never
//! come by a command line: they are looked up when a notification is taken into the outbox, in `objects.cache`, else by
//! Livestatus. There they are also whole.
//!
//! A value in the notification itself wins. If the core can't be asked, the notification is delivered as it is.

use super::livestatus;
use super::object_facts::{Answers, Facts};
use super::objects::{FILE_BYTES_MAX, Piece, walk};
use super::paths::{self, Paths};
use crate::config::{Config, Core, CoreKind, Field, Matcher, Route};
use crate::model::notification::{Notification, clean_line, is_uuid, present};
use crate::rules::render::KNOWN_FIX_VARS;
use crate::rules::render::links::encode;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

/// So many objects and contacts are remembered of a core; beyond that all are forgotten and asked for anew.
const KNOWN_MAX: usize = 10_000;
/// How long an answer of Livestatus is kept.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// How long it isn't asked again when it gave none: no batch is to wait for a socket that hangs.
const SPARED_FOR: Duration = Duration::from_secs(5);

/// The known facts, by core.
#[derive(Debug, Default)]
pub(crate) struct Details {
    cores: HashMap<String, Known>,
}

/// One core's answers, as long as they are valid.
#[derive(Debug, Default)]
struct Known {
    /// The state of the file it came from.
    stamp: Option<(SystemTime, u64)>,
    /// When Livestatus was asked, and whether it answered.
    asked: Option<(Instant, bool)>,
    answers: Answers,
}

impl Details {
    /// Fills in what the notifications don't say. One pass over the core's file for all of them, if it must be read.
    pub(crate) fn fill(&mut self, notifications: &mut [&mut Notification], config: &Config, used: &UsedVars) {
        let mut by_core: BTreeMap<String, Vec<&mut Notification>> = BTreeMap::new();
        for notification in notifications.iter_mut() {
            by_core.entry(notification.core.clone()).or_default().push(notification);
        }
        for (name, mut notifications) in by_core {
            let Some(core) = core_of(config, &name, &notifications) else { continue };
            let known = self.cores.entry(name).or_default();
            known.learn(&core, &notifications);
            for notification in &mut notifications {
                known.fill_in(notification, used);
            }
        }
    }
}

/// The configured core; else the machine's own, which is openITCOCKPIT's where hosts are named as it names them.
fn core_of(config: &Config, name: &str, notifications: &[&mut Notification]) -> Option<Core> {
    let is_configured = config.cores.iter().any(|core| core.name == name);
    let is_openitcockpit = || notifications.iter().all(|notification| is_uuid(&notification.host.name));
    if !is_configured && name.is_empty() && is_openitcockpit() {
        return Some(Core { kind: CoreKind::OpenItCockpit, ..Core::default() });
    }
    let core = paths::core(config, name)?;
    // What came by a relay was completed there; of several cores of that name one may be on this machine.
    core.members().into_iter().next()
}

impl Known {
    /// Asks for what isn't known yet of these.
    fn learn(&mut self, core: &Core, notifications: &[&mut Notification]) {
        let paths = Paths::find(core);
        match (&paths.objects_file, &paths.livestatus) {
            (Some(path), _) => {
                let Ok(metadata) = fs::metadata(path) else { return };
                let stamp = metadata.modified().ok().map(|modified| (modified, metadata.len()));
                if stamp.is_none() || self.stamp != stamp {
                    self.answers = Answers::default();
                }
                if let Some(mut missing) = self.missing(notifications) {
                    let read = File::open(path).and_then(|file| read(file.take(FILE_BYTES_MAX), &mut missing));
                    self.stamp = read.ok().and(stamp);
                    self.answers.extend(missing);
                }
            }
            (None, Some(address)) => match self.asked {
                Some((at, false)) if at.elapsed() < SPARED_FOR => {}
                asked => {
                    if asked.is_none_or(|(at, _)| at.elapsed() >= BELIEVED_FOR) {
                        self.answers = Answers::default();
                    }
                    if let Some(mut missing) = self.missing(notifications) {
                        let answered = livestatus::details(address, &mut missing).is_some();
                        self.asked = Some((Instant::now(), answered));
                        if answered {
                            self.answers.extend(missing);
                        }
                    }
                }
            },
            (None, None) => {}
        }
    }

    /// Questions about what isn't known of these; `None` when all is.
    fn missing(&mut self, notifications: &[&mut Notification]) -> Option<Answers> {
        if self.answers.objects.len() + self.answers.contacts.len() > KNOWN_MAX {
            self.answers = Answers::default();
        }
        let mut missing = Answers::default();
        for notification in notifications {
            let objects = keys(notification).filter(|key| !self.answers.objects.contains_key(key));
            missing.objects.extend(objects.map(|key| (key, Facts::default())));
            let contact = notification.contact.name.iter().filter(|name| !self.answers.contacts.contains_key(*name));
            missing.contacts.extend(contact.map(|name| (name.clone(), Facts::default())));
        }
        (!missing.objects.is_empty() || !missing.contacts.is_empty()).then_some(missing)
    }

    /// Fills in one notification.
    fn fill_in(&self, notification: &mut Notification, used: &UsedVars) {
        let unknown = Facts::default();
        let host_name = notification.host.name.clone();
        let Answers { objects, contacts } = &self.answers;
        let host = objects.get(&(host_name.clone(), String::new())).unwrap_or(&unknown);
        let service_name = notification.service.as_ref().map(|service| service.name.clone()).unwrap_or_default();
        let of_service = objects.get(&(host_name.clone(), service_name.clone())).filter(|_| !service_name.is_empty());
        let service = of_service.unwrap_or(&unknown);
        let contact = notification.contact.name.as_ref().and_then(|name| contacts.get(name)).unwrap_or(&unknown);
        let expand = |url: &str| {
            let macros = Macros { names: (&host_name, &service_name), host, service };
            macros.expand(url)
        };
        put(&mut notification.action_url, &[&expand(&service.action_url), &expand(&host.action_url)]);
        put(&mut notification.notes_url, &[&expand(&service.notes_url), &expand(&host.notes_url)]);
        let Notification { host: of_host, contact: of_contact, .. } = notification;
        put_name(&mut of_host.display_name, &host.display_name, &of_host.name);
        put(&mut of_host.alias, &[&host.alias]);
        put(&mut of_host.address, &[&host.address]);
        put(&mut of_contact.email, &[&contact.email]);
        put(&mut of_contact.address, &[&contact.address]);
        put_list(&mut of_contact.groups, &contact.groups);
        put_list(&mut notification.host_groups, &host.groups);
        if let Some(of_service) = &mut notification.service {
            put_name(&mut of_service.display_name, &service.display_name, &of_service.name);
            put_list(&mut notification.service_groups, &service.groups);
        }
        // The nearest owner's wins, as from the environment.
        for facts in [service, host, contact] {
            for (key, value) in facts.vars.iter().filter(|(key, _)| used.takes(key)) {
                if let Some(value) = present(value) {
                    notification.vars.entry(clean_line(key)).or_insert_with(|| clean_line(value));
                }
            }
        }
    }
}

/// Its host's key, and its own where that is another.
fn keys(notification: &Notification) -> impl Iterator<Item = (String, String)> {
    let host = notification.host.name.clone();
    let service = notification.service.as_ref().map(|service| (host.clone(), service.name.clone()));
    std::iter::once((host, String::new())).chain(service)
}

fn put(field: &mut Option<String>, values: &[&str]) {
    if field.is_none() {
        *field = values.iter().find_map(|value| present(value)).map(clean_line).filter(|value| !value.is_empty());
    }
}

/// A display name that is the name is none.
fn put_name(field: &mut Option<String>, value: &str, name: &str) {
    put(field, &[if value == name { "" } else { value }]);
}

fn put_list(field: &mut Vec<String>, values: &[String]) {
    if field.is_empty() {
        *field = values.iter().map(|value| clean_line(value)).collect();
    }
}

/// The custom variables that something asks for: others stay where they are, as passwords stand in some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UsedVars {
    names: BTreeSet<String>,
    /// A template may use any.
    are_all: bool,
}

impl UsedVars {
    pub(crate) fn of(config: &Config, subscriptions: &[Route]) -> Self {
        let routes = config.routes.iter().chain(subscriptions);
        let matchers = routes.map(|route| &route.matches).chain(config.escalation.iter().map(|step| &step.matches));
        let in_routes = matchers.flat_map(Matcher::parts).flat_map(|part| part.vars.keys().cloned());
        let in_fields = config.message.fields.iter().filter_map(|field| match field {
            Field::Var(name) => Some(name.clone()),
            _ => None,
        });
        let message = &config.message;
        let own = message.formatters.values().flat_map(|formatter| [&formatter.title, &formatter.body]);
        let mut templates = [&message.title, &message.body].into_iter().chain(own).flatten();
        let are_all = templates.any(|template| template.contains("vars"));
        let fixes = KNOWN_FIX_VARS.iter().map(|&name| name.to_owned());
        let mut names: BTreeSet<String> = in_routes.chain(in_fields).chain(fixes).collect();
        if !message.formatter.is_empty() {
            names.extend([message.formatter.clone(), "url".to_owned()]);
        }
        Self { names, are_all }
    }

    fn takes(&self, key: &str) -> bool {
        self.are_all || self.names.contains(key)
    }

    /// As a header has them: names between commas, percent-encoded; `*` for all.
    pub(crate) fn to_header(&self) -> String {
        if self.are_all {
            return "*".to_owned();
        }
        self.names.iter().map(|name| encode(name)).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn from_header(text: &str) -> Self {
        let decoded = |name: &str| percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "*").map(decoded);
        Self { names: names.collect(), are_all: text.trim() == "*" }
    }
}

/// The values of the macros in a link.
struct Macros<'a> {
    /// Of the host and the service.
    names: (&'a str, &'a str),
    host: &'a Facts,
    /// Empty for a host.
    service: &'a Facts,
}

impl<'a> Macros<'a> {
    /// As the core expands a link: each value percent-encoded; what isn't known here (`$USER1$` may be a password) is empty.
    fn expand(&self, url: &str) -> String {
        let mut parts = url.split('$');
        let mut out = parts.next().unwrap_or_default().to_owned();
        // After each macro's name comes the text up to the next one.
        while let Some(name) = parts.next() {
            let Some(text) = parts.next() else { return format!("{out}${name}") };
            out.push_str(&if name.is_empty() { "$".to_owned() } else { encode(self.value(name)) });
            out.push_str(text);
        }
        out
    }

    fn value(&self, name: &str) -> &'a str {
        let Self { names, host, service } = *self;
        let first = |facts: &'a Facts| facts.groups.first().map_or("", String::as_str);
        match name {
            "HOSTNAME" => names.0,
            "SERVICEDESC" => names.1,
            "HOSTADDRESS" => &host.address,
            "HOSTALIAS" => &host.alias,
            "HOSTDISPLAYNAME" => &host.display_name,
            "SERVICEDISPLAYNAME" => &service.display_name,
            "HOSTGROUPNAME" => first(host),
            "SERVICEGROUPNAME" => first(service),
            _ => {
                let (of_host, of_service) = (name.strip_prefix("_HOST"), name.strip_prefix("_SERVICE"));
                let var = |facts: &'a Facts, key: Option<&str>| {
                    facts.vars.get(&key?.to_ascii_lowercase()).map(String::as_str)
                };
                var(host, of_host).or_else(|| var(service, of_service)).unwrap_or_default()
            }
        }
    }
}

impl Answers {
    fn extend(&mut self, more: Self) {
        self.objects.extend(more.objects);
        self.contacts.extend(more.contacts);
    }
}

/// Fills in what is asked for from the text of `objects.cache`: a core writes groups before what is in them.
fn read(file: impl Read, answers: &mut Answers) -> std::io::Result<()> {
    let mut block = Block::default();
    walk(
        file,
        &[b"host", b"service", b"contact", b"hostgroup", b"servicegroup", b"contactgroup"],
        |piece| match piece {
            Piece::Start(kind) => block = Block { kind: kind.to_vec(), ..Block::default() },
            Piece::Field(key, value) => block.add(key, value),
            Piece::End => std::mem::take(&mut block).put(answers),
        },
    )
}

/// A block as it is read.
#[derive(Default)]
struct Block {
    kind: Vec<u8>,
    host: String,
    /// The service's, contact's or group's.
    name: String,
    members: String,
    facts: Facts,
}

impl Block {
    fn add(&mut self, key: &str, value: &str) {
        let facts = &mut self.facts;
        let field = match key {
            "host_name" => &mut self.host,
            "service_description" | "contact_name" | "hostgroup_name" | "servicegroup_name" | "contactgroup_name" => {
                &mut self.name
            }
            "members" => &mut self.members,
            "display_name" => &mut facts.display_name,
            "alias" => &mut facts.alias,
            "address" | "address1" => &mut facts.address,
            "email" => &mut facts.email,
            "action_url" => &mut facts.action_url,
            "notes_url" => &mut facts.notes_url,
            "notes" => facts.vars.entry("notes".to_owned()).or_default(),
            _ => match key.strip_prefix('_') {
                Some(key) => facts.vars.entry(key.to_ascii_lowercase()).or_default(),
                None => return,
            },
        };
        value.clone_into(field);
    }

    fn put(self, answers: &mut Answers) {
        let Self { kind, host, name, members, facts } = self;
        let Answers { objects, contacts } = answers;
        let mut members = members.split(',').map(str::trim);
        match kind.as_slice() {
            b"hostgroup" => members.for_each(|host| join(objects.get_mut(&(host.to_owned(), String::new())), &name)),
            b"servicegroup" => {
                while let (Some(host), Some(service)) = (members.next(), members.next()) {
                    join(objects.get_mut(&(host.to_owned(), service.to_owned())), &name);
                }
            }
            b"contactgroup" => members.for_each(|contact| join(contacts.get_mut(contact), &name)),
            b"contact" => become_known(contacts.get_mut(&name), facts),
            _ => become_known(objects.get_mut(&(host, name)), facts),
        }
    }
}

fn join(member: Option<&mut Facts>, group: &str) {
    if let Some(facts) = member {
        facts.groups.push(group.to_owned());
    }
}

/// The groups it was found in before stay.
fn become_known(asked: Option<&mut Facts>, facts: Facts) {
    if let Some(asked) = asked {
        *asked = Facts { groups: std::mem::take(&mut asked.groups), ..facts };
    }
}

#[cfg(test)]
mod tests;
