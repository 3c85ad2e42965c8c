//! From the file to the strict [`Config`], collecting every problem on the way.

use super::problem::{Mistake, Problem, Problems};
use super::reader::Table;
use super::secrets::LoadContext;
use super::{
    Config, Field, Formatter, Limits, Message, Outbox, Route, Thread, access, core, credentials, curve, database,
    deadman, escalate, history, integration, lenient, listen, matcher, oncall, reactions, relay, tree, values,
};
use crate::state_dir::owner;
use crate::system::environment::Environment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The core kills a notification command after 30 s; so much is left for starting and stopping.
const TIME_BUDGET_MAX: Duration = Duration::from_secs(25);

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("can't read the configuration {}: {source}{}", .path.display(), remedy(.source))]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

impl LoadError {
    /// Each problem by itself.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Problems(problems) => problems.clone(),
            Self::Read { path, .. } => {
                let mut problems = Problems::new(Some(path), "");
                problems.error(None, Mistake::new(self.to_string()));
                problems.into_problems()
            }
        }
    }

    /// Whether this user may not read it: then nothing is known of it.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
    }

    /// One line of it, for a core's log.
    pub(crate) fn first_line(&self) -> String {
        let text = self.to_string();
        text.lines().next().unwrap_or_default().to_owned()
    }
}

fn remedy(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::NotFound => "; write one with `ackbell config init FILE`",
        std::io::ErrorKind::PermissionDenied => "; it must be readable by the group of the core's user",
        _ => "",
    }
}

/// The custom variable that names a formatter where nothing else is configured: `_FORMATTER`.
const FORMATTER: &str = "formatter";

/// Reads and checks the configuration; the second half of the answer is what works, but hardly as meant.
pub(crate) fn load(argument: Option<&Path>, env: &Environment) -> Result<(Config, Vec<Problem>), LoadError> {
    let path = lenient::config_path(argument);
    if let Some(objection) = owner::objection(&path) {
        let objection = format!("{objection} {}", path.display());
        return Err(LoadError::Read { path, source: std::io::Error::other(objection) });
    }
    let text = match lenient::read_text(&path) {
        // Without a file the environment may say it all, as in a container.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && argument.is_none() => None,
        Err(source) => return Err(LoadError::Read { path, source }),
        // Whoever empties it to write it anew takes no integration away from what waits.
        Ok(text) if text.is_empty() && path.is_file() => {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "it is empty");
            return Err(LoadError::Read { path, source });
        }
        Ok(text) => Some(text),
    };
    let source = text.as_ref().map(|_| path.as_path());
    let text = text.as_deref().unwrap_or_default();
    let parsed =
        if lenient::is_json(&path) && source.is_some() { tree::parse_json(text) } else { tree::parse_toml(text) };
    let mut problems = Problems::new(source, text);
    let entries = match parsed {
        Ok(entries) => entries,
        Err(errors) => {
            for error in errors {
                problems.error(Some(error.span), Mistake::new(error.message).maybe(error.remedy.map(str::to_owned)));
            }
            return Err(LoadError::Problems(problems.into_problems()));
        }
    };
    let mut top = Table::new("the file", None, &entries);
    let config = read_config(&mut top, source, text, argument, env, &mut problems);
    top.finish(&mut problems);
    if problems.has_errors() {
        Err(LoadError::Problems(problems.into_problems()))
    } else {
        Ok((config, problems.into_problems()))
    }
}

/// The configuration's own file and those it names for secrets, whatever else is wrong with it: what root reads before
/// it becomes somebody who may not.
pub(crate) fn secret_files(path: &Path, text: &[u8]) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(text);
    let parsed = if lenient::is_json(path) { tree::parse_json(&text) } else { tree::parse_toml(&text) };
    let mut files = vec![path.to_owned()];
    name_files(&parsed.unwrap_or_default(), path.parent().unwrap_or(Path::new("/")), &mut files);
    files
}

fn name_files(entries: &[tree::Entry], base: &Path, files: &mut Vec<PathBuf>) {
    for entry in entries {
        let nodes = match &entry.node.value {
            tree::Value::Table(inside) => {
                name_files(inside, base, files);
                continue;
            }
            tree::Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        let is_named = entry.key.ends_with("_file");
        files.extend(nodes.iter().filter_map(|node| match &node.value {
            tree::Value::Text(file) if is_named => Some(base.join(file)),
            _ => None,
        }));
    }
}

fn read_config(
    top: &mut Table<'_>,
    path: Option<&Path>,
    text: &str,
    argument: Option<&Path>,
    env: &Environment,
    problems: &mut Problems<'_>,
) -> Config {
    let dirs = lenient::state_dirs(argument, env);
    for key in ["state_dir", "runtime_dir"] {
        let strict = top.text(key, problems);
        if let (Some(strict), Some(path)) = (strict, path)
            && lenient::key_in(text, path, key).as_deref() != Some(strict.text)
        {
            let message = format!("\"{key}\" can't be read by itself");
            let remedy = "write it on a line of its own before the first [table]: it must be found even when the rest has mistakes";
            problems.error(Some(strict.span), Mistake::new(message).remedy(remedy));
        }
    }
    let mut sources: Vec<PathBuf> = path.map(Path::to_owned).into_iter().collect();
    let base = path.and_then(Path::parent).unwrap_or(Path::new("/")).to_owned();
    let mut context = LoadContext { base: &base, state_dir: &dirs.state_dir, env: env.clone(), sources: &mut sources };
    let integrations = integration::load_all(top, &mut context, problems);
    let mut config = Config {
        path: path.map(Path::to_owned),
        state_dir: dirs.state_dir,
        runtime_dir: dirs.runtime_dir,
        routes: routes(top, problems),
        escalation: escalate::read(top, problems),
        on_call: oncall::read_all(top, &base, &mut sources, problems),
        message: message(top, problems),
        storm: storm(top, problems),
        outbox: outbox(top, problems),
        database: database::read(top, &base, env, &mut sources, problems),
        cores: core::read_all(top, &base, &mut sources, problems),
        acknowledge: access::acknowledge(top, problems),
        access: access::access(top, problems),
        audit: access::audit(top, problems),
        history: history::history(top, problems),
        weekly: history::weekly(top, problems),
        curve: curve::read(top, &base, &mut sources, problems),
        listen: listen::read(top, &base, (env, &integrations), &mut sources, problems),
        deadman: deadman::read(top, problems),
        reactions: reactions::read(top, problems),
        relay: relay::read(top, &base, &mut sources, problems),
        sources,
        integrations,
    };
    config.listen.has_relays = config.cores.iter().any(super::Core::is_remote);
    credentials::check(&mut config, problems);
    relay::check(&config, problems);
    integration::check_routes(&config, problems);
    access::check(&config, problems);
    deadman::check(&config, problems);
    listen::check(&config, problems);
    oncall::check(&config, problems);
    history::check(&config, problems);
    config
}

fn routes(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Vec<Route> {
    let mut routes = Vec::new();
    for mut table in top.tables("route", problems) {
        let line = table.span.map_or(0, |span| problems.line(span));
        let matches = table.table("match", problems).map(|table| matcher::load(table, problems)).unwrap_or_default();
        let integration = table.text("integration", problems);
        let label = table.text("label", problems);
        if let (Some(_), Some(label)) = (integration, label) {
            let mistake = Mistake::new("both \"integration\" and \"label\" are given").remedy("keep one of them");
            problems.error(Some(label.span), mistake);
        }
        routes.push(Route {
            line,
            span: table.span,
            integration_span: integration.or(label).map(|text| text.span),
            matches,
            to: table.parsed_list("to", problems, str::parse),
            mention: table.parsed_list("mention", problems, str::parse),
            integration: integration.map(|text| text.text.to_owned()),
            label: label.map(|text| text.text.to_owned()),
            continue_: table.flag("continue", problems).unwrap_or(false),
            deferred: table.parsed("hold", problems, values::send_times),
        });
        table.finish(problems);
    }
    routes
}

fn message(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Message {
    let default = [Field::Address, Field::Duration, Field::Attempt, Field::Contact];
    let formatters = formatters(top, problems);
    let Some(mut table) = top.table("message", problems) else {
        return Message {
            title: None,
            body: None,
            formatter: FORMATTER.to_owned(),
            formatters,
            fields: default.to_vec(),
            redact: Vec::new(),
            thread: Thread::Replies,
        };
    };
    let formatter = table.text("formatter", problems).map(|text| text.text.trim_start_matches('_').to_lowercase());
    let has_fields = table.node("fields").is_some();
    let fields = table.parsed_list("fields", problems, values::field);
    let message = Message {
        title: table.parsed("title", problems, values::template),
        body: table.parsed("body", problems, values::template),
        formatter: formatter.unwrap_or_else(|| FORMATTER.to_owned()),
        formatters,
        fields: if has_fields { fields } else { default.to_vec() },
        redact: table.parsed_list("redact", problems, values::regex),
        thread: table.parsed("thread", problems, values::thread).unwrap_or(Thread::Replies),
    };
    table.finish(problems);
    message
}

/// The templates by the names that services choose them by.
fn formatters(top: &mut Table<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, Formatter> {
    let mut formatters = BTreeMap::new();
    for (name, mut table) in top.named_tables("formatters", problems) {
        let title = table.parsed("title", problems, values::template);
        let body = table.parsed("body", problems, values::template);
        table.finish(problems);
        formatters.insert(name.to_owned(), Formatter { title, body });
    }
    formatters
}

fn storm(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Limits {
    let mut limits = Limits { threshold: 5, window: Duration::from_secs(30) };
    if let Some(mut table) = top.table("storm", problems) {
        limits.threshold = table.count("threshold", problems).unwrap_or(limits.threshold);
        limits.window = table.parsed("window", problems, values::duration).unwrap_or(limits.window);
        table.finish(problems);
    }
    limits
}

fn outbox(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Outbox {
    let mut outbox = Outbox { time_budget: Duration::from_secs(10), max_age: Duration::from_secs(3 * 86_400) };
    let Some(mut table) = top.table("outbox", problems) else {
        return outbox;
    };
    let budget = |text: &str| match values::duration(text)? {
        long if long > TIME_BUDGET_MAX => Err(Mistake::new(format!("\"{text}\" is too long"))
            .remedy("at most \"25s\": the core kills a notification command after 30 s")),
        good => Ok(good),
    };
    outbox.time_budget = table.parsed("time_budget", problems, budget).unwrap_or(outbox.time_budget);
    outbox.max_age = table.parsed("max_age", problems, values::duration).unwrap_or(outbox.max_age);
    table.finish(problems);
    outbox
}

/// The state of the files a configuration came from; when it changes, it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<(i64, i64, u64, u64)>>);

/// Looks at the files, without reading them.
pub(crate) fn stamp(config: &Config) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let look = |path: &PathBuf| {
        let m = std::fs::metadata(path).ok()?;
        let nanoseconds = |s: i64, ns: i64| s.wrapping_mul(1_000_000_000).wrapping_add(ns);
        Some((nanoseconds(m.mtime(), m.mtime_nsec()), nanoseconds(m.ctime(), m.ctime_nsec()), m.ino(), m.size()))
    };
    Stamp(config.sources.iter().map(look).collect())
}
