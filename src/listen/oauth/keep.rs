//! The end of an installation: the token is durable before the page says so.

use super::page::page;
use super::{Page, refusal};
use crate::config::{Config, Integration};
use crate::flow::installs::Installs;
use crate::rules::manifest::AppFeatures;
use crate::state_dir::installation::Install;
use crate::state_dir::wake;
use crate::store::Store;
use log::{info, warn};

/// Makes the installation durable, unless the integration belongs to another workspace.
pub(super) fn keep(
    config: &Config,
    store: Option<&Store>,
    integration: &Integration,
    fresh: &Install,
) -> Result<Page, Page> {
    let name = &integration.name;
    let mut other = integration.team_id.clone().filter(|team| *team != fresh.team_id);
    let written = Installs::of(config, store).update(name, |known| {
        let (team, events) = known.map(|known| (known.team_id, known.events)).unzip();
        // A workspace that is configured says more than the one that it was installed in before.
        let earlier = team.filter(|team| integration.team_id.is_none() && *team != fresh.team_id);
        other = other.take().or(earlier);
        other.is_none().then(|| Install { events: events.unwrap_or_default(), ..fresh.clone() })
    });
    if let Err(e) = written {
        warn!("not installed integration={name} reason={:?}", format!("can't keep the token: {e}"));
        let text = format!("Slack agreed, but the token can't be saved: {e}. Correct this, then install again.");
        return Err(refusal(500, "Not installed", &[text]));
    }
    if let Some(team) = other {
        warn!("not installed integration={name} reason=\"another workspace\" team={team} tried={}", fresh.team_id);
        return Err(belongs_to_another(name, &team, fresh));
    }
    info!("installed integration={name} team={} scopes={}", fresh.team_id, fresh.scopes);
    // Only for speed: the file's stamp is looked at every few seconds anyway.
    wake::hint(&config.runtime_dir);
    Ok(Page::Html {
        status: 200,
        html: page(&format!("Installed in {}", fresh.team_name), &next_steps(config, integration, fresh)),
    })
}

fn belongs_to_another(name: &str, team: &str, fresh: &Install) -> Page {
    let tried = &fresh.team_id;
    let texts = [
        format!(
            "\"{name}\" belongs to the workspace `{team}`, and this was `{tried}`. Nothing was changed here; remove the \
             app from that workspace in Slack."
        ),
        format!(
            "For one more workspace give it an `[integrations.NAME]` of its own. To move this one, write `team_id = \
             \"{tried}\"` beside its `client_id`, then install again."
        ),
    ];
    refusal(409, "Not installed", &texts)
}

fn next_steps(config: &Config, integration: &Integration, fresh: &Install) -> Vec<String> {
    let mut steps = vec![format!("The integration \"{}\" uses the new token within seconds.", integration.name)];
    let granted: Vec<&str> = fresh.scopes.split(',').collect();
    let missing: Vec<&str> =
        AppFeatures::new(config, integration).scopes().into_iter().filter(|scope| !granted.contains(scope)).collect();
    if !missing.is_empty() {
        steps.push(format!("Slack didn't grant `{}`: features that need it won't work.", missing.join(", ")));
    }
    steps.push("Next: in each private channel that gets notifications, type `/invite` and the app's name.".to_owned());
    steps.push("Then try it: `ackbell notify --hostname test --hoststate DOWN --output hello`".to_owned());
    steps
}
