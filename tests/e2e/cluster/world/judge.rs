//! What must hold once everything is put right, asked of Slack's journal, of the core and of the outbox.

use super::{CHANNELS, World};
use crate::harness::wait;
use serde_json::{Value, json};
use std::time::Instant;

impl World {
    /// Which promise is broken, or how much was played.
    pub(in crate::cluster) fn judge(&mut self) -> Result<String, String> {
        wait::until("the database", || self.cluster.try_sql("SELECT 1"));
        let healed = Instant::now();
        // A relay hands in what it has once somebody takes it.
        wait::until("the relays", || self.relays.iter().all(|(_, site)| site.spooled("new") == 0));
        let rested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.cluster.rests()));
        if let Err(why) = rested {
            return Err(format!(
                "it doesn't come to rest: {}",
                why.downcast_ref::<String>().cloned().unwrap_or_default()
            ));
        }
        self.note("it rests");
        let messages = self.cluster.sandbox.messages();
        self.judge_import()?;
        let mut twice = 0;
        for number in 0..self.problems.len() {
            twice += self.judge_card(number, &messages)?;
            self.judge_clicks(number)?;
        }
        let forgotten = self.forgotten_among(&messages);
        if twice > self.kills + forgotten {
            let kills = self.kills;
            return Err(format!("{twice} cards too many after {kills} kills, with {forgotten} in forgotten seconds"));
        }
        judge_pace(&messages)?;
        let early: Vec<Value> = self.cluster.sandbox.violations();
        if !early.is_empty() {
            return Err(format!("violations: {}", json!(early)));
        }
        let (problems, clicks) = (self.problems.len(), self.problems.iter().map(|p| p.clicks).sum::<usize>());
        let taken_back = self.cluster.logs().matches("message taken back").count();
        Ok(format!(
            "{problems} problems, {clicks} clicks, {} kills, a failover to {}, {forgotten} messages forgotten, {twice} shown twice, {taken_back} taken back, quiet after {:.0?}",
            self.kills,
            self.failed_over_to(),
            healed.elapsed()
        ))
    }

    fn judge_import(&self) -> Result<(), String> {
        let words: Vec<&str> = self.problems.iter().flat_map(|p| p.words.iter().map(String::as_str)).collect();
        // An acknowledgement is a notification of our own, with the problem's output.
        let wrong = self.cluster.sql(&format!(
            "SELECT word, (SELECT string_agg(id || ' ' || body, ', ') FROM notification WHERE strpos(body, word) > 0)
             FROM unnest(string_to_array('{}', ' ')) AS word
             WHERE (SELECT COUNT(*) FROM notification
                    WHERE strpos(body, word) > 0 AND strpos(lower(body), 'acknowledgement') = 0) <> 1",
            words.join(" ")
        ));
        if wrong.is_empty() { Ok(()) } else { Err(format!("not imported once: {wrong}")) }
    }

    /// How many cards a problem has too many.
    fn judge_card(&self, number: usize, messages: &[Value]) -> Result<usize, String> {
        let problem = &self.problems[number];
        let heads = self.heads(number, messages);
        let is_acknowledged = self.cluster.core.is_acknowledged("web01", &problem.name);
        let start = match (problem.is_over, is_acknowledged) {
            (true, _) => "RECOVERED, OK: ",
            (false, true) => "ACKNOWLEDGED, CRITICAL: ",
            (false, false) => "CRITICAL: ",
        };
        // Our own notification of an acknowledgement may be forgotten with its click; a core would send another one.
        let start = if self.forgets() && !problem.is_over && problem.clicks > 0 { "" } else { start };
        let texts: Vec<&str> = heads.iter().filter_map(|m| m["text"].as_str()).collect();
        if texts.iter().any(|text| text.starts_with(start)) {
            return Ok(heads.len() - 1);
        }
        Err(format!("{} should be shown as {start}, and is: {texts:?}", problem.name))
    }

    fn judge_clicks(&self, number: usize) -> Result<(), String> {
        let problem = &self.problems[number];
        let lines = self.cluster.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", &problem.name);
        let most = if self.forgets() { problem.clicks } else { usize::from(problem.clicks > 0) };
        if lines > most {
            return Err(format!("{}: {lines} command lines of {} clicks", problem.name, problem.clicks));
        }
        let about = format!(
            "FROM action_request WHERE right(object, {}) = chr(31) || '{}'",
            problem.name.len() + 1,
            problem.name
        );
        let known =
            self.cluster.sql(&format!("SELECT COUNT(*), COUNT(*) FILTER (WHERE outcome = 'confirmed') {about}"));
        let (all, confirmed) = known.split_once('|').unwrap();
        if problem.answered && all == "0" && !self.forgets() {
            return Err(format!("the click on {} was answered and is forgotten", problem.name));
        }
        if confirmed != "0" && lines == 0 {
            return Err(format!("{} is confirmed without a command", problem.name));
        }
        Ok(())
    }
}

/// No two messages of a channel come within a second, less what clocks may differ.
fn judge_pace(messages: &[Value]) -> Result<(), String> {
    for channel in 0..CHANNELS {
        let name = format!("load-{channel}");
        let of_it = |m: &&Value| m["channel_name"] == name.as_str() && m["ephemeral_for"].is_null();
        let mut times: Vec<f64> =
            messages.iter().filter(of_it).filter_map(|m| m["ts"].as_str()?.parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        if let Some(pair) = times.windows(2).find(|pair| pair[1] - pair[0] < 0.98) {
            return Err(format!("two messages in #{name} within {:.3} s, at {:?}", pair[1] - pair[0], pair));
        }
    }
    Ok(())
}
