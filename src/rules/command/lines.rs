//! The external-command syntax: `[UNIX] NAME;arg;arg...`, one a line. There is no escape in it.

use super::ExternalCommand;
use crate::model::action::Action;

/// So much a pipe takes whole or not at all (`PIPE_BUF`, `pipe(7)`).
pub(crate) const PIPE_BUF: usize = 4096;
/// Shorter than that a cut comment says nothing.
const COMMENT_BYTES_MIN: usize = 20;

/// The command with its comment cut so that all its lines fit into one write; `None` when even that doesn't help.
pub(super) fn fitted(mut command: ExternalCommand) -> Option<ExternalCommand> {
    let lines = build(&command);
    let bytes: usize = lines.iter().map(String::len).sum();
    if bytes <= PIPE_BUF {
        return Some(command);
    }
    let excess = (bytes - PIPE_BUF).div_ceil(lines.len());
    let comment = command.action.comment_mut()?;
    let room = comment.len().checked_sub(excess + '…'.len_utf8()).filter(|room| *room >= COMMENT_BYTES_MIN)?;
    let end = (0..=room).rev().find(|at| comment.is_char_boundary(*at))?;
    comment.truncate(end);
    comment.push('…');
    Some(command)
}

pub(super) fn build(command: &ExternalCommand) -> Vec<String> {
    let ExternalCommand { action, object, author, time, dialect } = command;
    let service = object.service.as_deref();
    // The host's or the service's form of a command's name, then its fields.
    let line = |host_name: &str, service_name: &str, rest: &str| match service {
        Some(service) => format!("[{time}] {service_name};{};{service}{rest}\n", object.host),
        None => format!("[{time}] {host_name};{}{rest}\n", object.host),
    };
    let one = match action {
        Action::Acknowledge { sticky, notify, persistent, comment, expiry } => {
            // 2 is sticky everywhere; Naemon takes any other number but 0 for it too.
            let (sticky, notify, persistent) = (u8::from(*sticky) * 2, u8::from(*notify), u8::from(*persistent));
            let flags = format!(";{sticky};{notify};{persistent}");
            if let Some(end) = expiry {
                let rest = format!("{flags};{end};{author};{comment}");
                line("ACKNOWLEDGE_HOST_PROBLEM_EXPIRE", "ACKNOWLEDGE_SVC_PROBLEM_EXPIRE", &rest)
            } else {
                let rest = format!("{flags};{author};{comment}");
                line("ACKNOWLEDGE_HOST_PROBLEM", "ACKNOWLEDGE_SVC_PROBLEM", &rest)
            }
        }
        Action::RemoveAcknowledgement => line("REMOVE_HOST_ACKNOWLEDGEMENT", "REMOVE_SVC_ACKNOWLEDGEMENT", ""),
        Action::Downtime { start, end, flexible, comment, host_services } => {
            let fixed = u8::from(flexible.is_none());
            let seconds = flexible.map_or((end - start).unsigned_abs(), |duration| duration.as_secs());
            let rest = format!(";{start};{end};{fixed};0;{seconds};{author};{comment}");
            let own = line("SCHEDULE_HOST_DOWNTIME", "SCHEDULE_SVC_DOWNTIME", &rest);
            if *host_services && service.is_none() {
                let services = line("SCHEDULE_HOST_SVC_DOWNTIME", "", &rest);
                return if dialect.services_include_host { vec![services] } else { vec![own, services] };
            }
            own
        }
        Action::CancelDowntime { id } => {
            let name = if service.is_some() { "DEL_SVC_DOWNTIME" } else { "DEL_HOST_DOWNTIME" };
            format!("[{time}] {name};{id}\n")
        }
        Action::Recheck { at } => line("SCHEDULE_FORCED_HOST_CHECK", "SCHEDULE_FORCED_SVC_CHECK", &format!(";{at}")),
        Action::StopNotifications => line("DISABLE_HOST_NOTIFICATIONS", "DISABLE_SVC_NOTIFICATIONS", ""),
        Action::ResumeNotifications => line("ENABLE_HOST_NOTIFICATIONS", "ENABLE_SVC_NOTIFICATIONS", ""),
        Action::Comment { persistent, comment } => {
            let rest = format!(";{};{author};{comment}", u8::from(*persistent));
            line("ADD_HOST_COMMENT", "ADD_SVC_COMMENT", &rest)
        }
    };
    vec![one]
}
