//! The misbehaviour a test can order: which, for whom, how often.

use serde_json::Value;

/// What a failing front end shows instead of an answer.
const ERROR_PAGE: &str = "<!DOCTYPE html><html><head><title>Server Error</title></head><body>Oops</body></html>";
/// What a network's login page shows for every address.
const PORTAL_PAGE: &str =
    "<!DOCTYPE html><html><body><h1>Welcome to Hotel WiFi</h1>Please accept our terms</body></html>";
/// Where the `redirect` fault leads; nobody should ever come here.
pub(super) const REDIRECT_PATH: &str = "/_redirected/here";
/// The body of `huge`.
const HUGE_BYTES: usize = 10 * 1024 * 1024;
/// A `hang` when no `delay_ms` is given.
const HANG_MS: u64 = 60_000;

use super::fault_script::{Behaviour, Response};
use super::wire::Answer;

/// One ordered misbehaviour.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault {
    pub(super) kind: String,
    /// How often it is still played; for ever without.
    times: Option<u64>,
    /// Which call it is for: a Web API method, `webhook`, `response_url`, a receiver's name; any without.
    method: Option<String>,
    /// A channel's id or name; any without.
    channel: Option<String>,
    status: Option<u16>,
    body: Option<String>,
    error: Option<String>,
    headers: Vec<(String, String)>,
    /// The text of `Retry-After`; `None` sends none.
    retry_after: Option<String>,
    delay_ms: Option<u64>,
    after: bool,
}

/// Every kind there is; anything else is refused by the control API.
const KINDS: [&str; 20] = [
    "500",
    "502",
    "503",
    "408",
    "429",
    "reset",
    "hang",
    "slow",
    "close_early",
    "close_before",
    "garbage",
    "html200",
    "redirect",
    "empty200",
    "huge",
    "endless",
    "slow_byte",
    "error",
    "status",
    "ok_then_reset",
];

impl Fault {
    /// A fault of that kind with every default, for any request.
    fn of_kind(kind: &str) -> Result<Self, String> {
        if !KINDS.contains(&kind) {
            return Err(format!("unknown kind of fault {kind:?}: one of {}", KINDS.join(", ")));
        }
        Ok(Self { kind: kind.to_owned(), retry_after: Some("1".to_owned()), ..Self::default() })
    }

    /// Reads what the control API was given.
    pub(super) fn read(given: &Value) -> Result<Self, String> {
        let text = |key: &str| given[key].as_str().map(str::to_owned);
        let kind = given["kind"].as_str().map_or_else(|| given["kind"].to_string(), str::to_owned);
        let mut fault = Self::of_kind(&kind)?;
        if let Some(value) = given.get("retry_after") {
            fault.retry_after = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
        }
        fault.times = given["times"].as_u64();
        fault.method = text("method");
        fault.channel = text("channel").map(|name| name.trim_start_matches('#').to_owned());
        fault.status = given["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        fault.body = text("body");
        fault.error = text("error");
        fault.delay_ms = given["delay_ms"].as_u64();
        fault.after = given["after"].as_bool().unwrap_or(false);
        let headers = given["headers"].as_object().into_iter().flatten();
        fault.headers =
            headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
        Ok(fault)
    }

    /// Whether the request takes effect although its answer is spoilt.
    pub(super) fn takes_effect(&self) -> bool {
        self.after || matches!(self.kind.as_str(), "ok_then_reset" | "slow" | "slow_byte")
    }

    /// How long a client that was told to wait has to stay away from this channel.
    pub(super) fn wait_ms(&self) -> Option<u64> {
        if self.kind != "429" {
            return None;
        }
        let seconds: f64 = self.retry_after.as_deref()?.parse().ok()?;
        let wait = std::time::Duration::try_from_secs_f64(seconds).ok()?;
        u64::try_from(wait.as_millis()).ok()
    }

    fn matches(&self, label: &str, channel: Option<(&str, &str)>) -> bool {
        let method = self.method.as_deref().is_none_or(|method| method == label);
        let is_channel = self
            .channel
            .as_deref()
            .is_none_or(|wanted| channel.is_some_and(|(id, name)| wanted == id || wanted == name));
        method && is_channel
    }

    /// What is done on the wire; `real` is the answer without the fault, or a neutral one if nothing took effect.
    pub(super) fn response(&self, label: &str, real: Answer) -> Response {
        let delay_ms = self.delay_ms.unwrap_or(0);
        let behaviour = match self.kind.as_str() {
            "hang" => return Response { behaviour: Behaviour::Hang(self.delay_ms.unwrap_or(HANG_MS)), delay_ms: 0 },
            "endless" => return Response { behaviour: Behaviour::Endless(self.delay_ms.unwrap_or(1000)), delay_ms: 0 },
            "slow_byte" => {
                return Response { behaviour: Behaviour::Trickle(real, self.delay_ms.unwrap_or(50)), delay_ms: 0 };
            }
            "slow" => Behaviour::Answer(real),
            "reset" | "ok_then_reset" => Behaviour::Reset,
            "close_before" => Behaviour::Close,
            "close_early" => Behaviour::CloseEarly(real),
            "garbage" => Behaviour::Raw(b"\x16\x03\x01\x02\x00SSH-2.0-what\x00\xff\r\n\r\nnot http at all".to_vec()),
            _ => Behaviour::Answer(self.answer(label)),
        };
        Response { behaviour, delay_ms }
    }

    fn answer(&self, label: &str) -> Answer {
        let mut answer = match self.kind.as_str() {
            "429" => limited(label, self.retry_after.as_deref()),
            "html200" => Answer::html(200, PORTAL_PAGE),
            "redirect" => Answer::text(302, "").with_header("location", REDIRECT_PATH),
            "empty200" => Answer { status: 200, headers: Vec::new(), body: Vec::new() },
            "huge" => Answer::text(200, &"x".repeat(HUGE_BYTES)),
            "error" => self.refusal(label),
            kind => Answer::html(kind.parse().unwrap_or(500), ERROR_PAGE),
        };
        if let Some(status) = self.status {
            answer.status = status;
        }
        if let Some(body) = &self.body {
            answer.body = body.as_bytes().to_vec();
        }
        for (name, value) in &self.headers {
            answer.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
            answer.headers.push((name.clone(), value.clone()));
        }
        answer
    }

    fn refusal(&self, label: &str) -> Answer {
        let error = self.error.as_deref().unwrap_or("internal_error");
        if is_web_api(label) {
            Answer::json(200, &serde_json::json!({"ok": false, "error": error}))
        } else {
            Answer::text(400, error)
        }
    }
}

/// Whether a call is one of the Web API: they alone have a dot in their name.
fn is_web_api(label: &str) -> bool {
    label.contains('.')
}

/// The 429 as each door says it. <https://docs.slack.dev/apis/web-api/rate-limits>
pub(super) fn limited(label: &str, retry_after: Option<&str>) -> Answer {
    let answer = if is_web_api(label) {
        Answer::json(429, &serde_json::json!({"ok": false, "error": "ratelimited"}))
    } else if label == "discord" {
        let seconds: f64 = retry_after.and_then(|text| text.parse().ok()).unwrap_or(1.0);
        let body =
            serde_json::json!({"message": "You are being rate limited.", "retry_after": seconds, "global": false});
        Answer::json(429, &body)
    } else {
        Answer::text(429, "rate_limited")
    };
    match retry_after {
        Some(value) => answer.with_header("retry-after", value),
        None => answer,
    }
}

/// The ordered faults and the random ones.
#[derive(Debug, Default)]
pub(super) struct Faults {
    ordered: Vec<Fault>,
    random: Option<Random>,
}

#[derive(Debug)]
struct Random {
    /// State of a `splitmix64`: the same seed plays the same faults.
    state: u64,
    /// In millionths.
    rate: u64,
    kinds: Vec<Fault>,
}

impl Random {
    fn read(given: &Value) -> Result<Self, String> {
        let kinds = given["kinds"].as_array().into_iter().flatten();
        let kinds = kinds
            .map(|kind| if kind.is_object() { Fault::read(kind) } else { Fault::of_kind(kind.as_str().unwrap_or("")) })
            .collect::<Result<Vec<_>, _>>()?;
        let rate = given["rate"].as_f64().unwrap_or(0.0);
        if kinds.is_empty() || !(0.0..=1.0).contains(&rate) {
            return Err("random faults need kinds and a rate of 0 to 1".to_owned());
        }
        let rate = std::time::Duration::from_secs_f64(rate).as_micros();
        Ok(Self { state: given["seed"].as_u64().unwrap_or(0), rate: u64::try_from(rate).unwrap_or(0), kinds })
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn pick(&mut self, label: &str, channel: Option<(&str, &str)>) -> Option<Fault> {
        let (chance, choice) = (self.next() % 1_000_000, self.next());
        let index = usize::try_from(choice % self.kinds.len() as u64).unwrap_or(0);
        let fault = &self.kinds[index];
        (chance < self.rate && fault.matches(label, channel)).then(|| fault.clone())
    }
}

impl Faults {
    /// Replaces all faults by what the control API was given.
    pub(super) fn set(&mut self, given: &Value) -> Result<(), String> {
        let ordered = given["faults"].as_array().into_iter().flatten();
        let ordered = ordered.map(Fault::read).collect::<Result<Vec<_>, _>>()?;
        let random = given.get("random").filter(|random| !random.is_null()).map(Random::read).transpose()?;
        *self = Self { ordered, random };
        Ok(())
    }

    /// What is still to be played, for the page.
    pub(super) fn json(&self) -> Value {
        let left = self.ordered.iter().filter(|fault| fault.times != Some(0));
        left.map(|fault| serde_json::json!({"kind": fault.kind, "times": fault.times, "method": fault.method}))
            .collect()
    }

    /// The fault for this request, if any; it is used up by that.
    pub(super) fn pick(&mut self, label: &str, channel: Option<(&str, &str)>) -> Option<Fault> {
        for fault in &mut self.ordered {
            if fault.times == Some(0) || !fault.matches(label, channel) {
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            return Some(fault.clone());
        }
        self.random.as_mut()?.pick(label, channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_is_played_as_often_as_ordered_and_only_for_its_call() {
        let mut faults = Faults::default();
        faults.set(&json!({"faults": [{"kind": "503", "times": 2, "method": "webhook", "channel": "#ops"}]})).unwrap();
        assert!(faults.pick("chat.postMessage", Some(("C1", "ops"))).is_none());
        assert!(faults.pick("webhook", Some(("C1", "other"))).is_none());
        assert!(faults.pick("webhook", Some(("C1", "ops"))).is_some());
        assert!(faults.pick("webhook", Some(("C1", "ops"))).is_some());
        assert!(faults.pick("webhook", Some(("C1", "ops"))).is_none());
    }

    #[test]
    fn the_same_seed_plays_the_same_faults_at_about_the_rate() {
        let order = json!({"random": {"seed": 7, "rate": 0.3, "kinds": ["500", "429", "reset"]}});
        let send_response = || {
            let mut faults = Faults::default();
            faults.set(&order).unwrap();
            (0..1000).map(|_| faults.pick("webhook", None).map(|fault| fault.kind)).collect::<Vec<_>>()
        };
        let first = send_response();
        assert_eq!(first, send_response());
        let count = first.iter().flatten().count();
        assert!((250..350).contains(&count), "{count}");
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        assert!(Faults::default().set(&json!({"faults": [{"kind": "501x"}]})).is_err());
    }

    #[test]
    fn retry_after_is_sent_as_ordered() {
        let fault = Fault::read(&json!({"kind": "429", "retry_after": "0.5"})).unwrap();
        assert_eq!(fault.wait_ms(), Some(500));
        let header = ("retry-after".to_owned(), "0.5".to_owned());
        assert!(fault.answer("webhook").headers.contains(&header));
        let silent = Fault::read(&json!({"kind": 429, "retry_after": null})).unwrap();
        assert!(silent.answer("webhook").headers.iter().all(|(name, _)| name != "retry-after"));
        assert_eq!(Fault::read(&json!({"kind": "429", "retry_after": "soon"})).unwrap().wait_ms(), None);
    }
}
