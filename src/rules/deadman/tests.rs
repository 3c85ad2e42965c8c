use super::*;

const AFTER: i64 = 15 * 60;

/// A source of chance that gives the same again.
struct Chance(u64);

impl Chance {
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Slack: what lies there, and what it sent and when.
#[derive(Default)]
struct Slack {
    lies: Vec<Scheduled>,
    sent: Vec<Scheduled>,
    given: u64,
}

impl Slack {
    fn pass_to(&mut self, now: i64) {
        let (over, lies) = std::mem::take(&mut self.lies).into_iter().partition(|message| message.post_at <= now);
        self.lies = lies;
        self.sent.extend::<Vec<_>>(over);
    }

    fn call(&mut self, step: &Step, now: i64) -> Answer {
        match step {
            Step::List => Answer::Listed(self.lies.iter().map(|m| Scheduled { since: 0, ..m.clone() }).collect()),
            Step::Schedule(message) if message.post_at <= now => Answer::Refused,
            Step::Schedule(message) => {
                self.given += 1;
                let (id, channel) = (format!("Q{}", self.given), "C1".to_owned());
                self.lies.push(Scheduled { id: id.clone(), channel: channel.clone(), ..message.clone() });
                Answer::Scheduled { id, channel }
            }
            Step::Delete(message) => {
                let lies = |other: &Scheduled| other.id == message.id && other.post_at - now > 60;
                match self.lies.iter().position(lies) {
                    Some(at) => {
                        self.lies.remove(at);
                        Answer::Deleted
                    }
                    None => Answer::Gone,
                }
            }
            Step::Correct(_) => Answer::Corrected,
        }
    }
}

fn sight(now: i64, age: i64) -> Sight {
    Sight { now, ages: [(String::new(), age)].into(), after: AFTER }
}

/// Does all that is due, without a fault.
fn settle(switch: &mut Switch, slack: &mut Slack, sight: &Sight) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(step) = switch.next(sight, steps.last() == Some(&Step::List)) {
        switch.begin(&step);
        let answer = slack.call(&step, sight.now);
        switch.end(&step, answer, sight);
        steps.push(step);
        assert!(steps.len() < 10, "{steps:?}");
    }
    steps
}

#[test]
fn a_new_one_is_scheduled_before_the_old_one_is_deleted() {
    let (mut switch, mut slack) = (Switch::default(), Slack::default());
    let first = settle(&mut switch, &mut slack, &sight(1000, 0));
    assert!(matches!(&first[..], [Step::Schedule(message)] if message.post_at == 1000 + AFTER), "{first:?}");
    assert!(settle(&mut switch, &mut slack, &sight(1100, 0)).is_empty(), "not each time");
    let second = settle(&mut switch, &mut slack, &sight(1180, 0));
    assert!(matches!(&second[..], [Step::Schedule(_), Step::Delete(_)]), "{second:?}");
    assert!(settle(&mut switch, &mut slack, &sight(1500, 330)).is_empty(), "the core is silent: nothing is replaced");
    slack.pass_to(1180 + AFTER);
    assert_eq!(slack.sent.len(), 1);
    let now = 1180 + AFTER + 400;
    assert_eq!(settle(&mut switch, &mut slack, &sight(now, now - 1170)), [Step::List], "told, and it stays so");
    let back = settle(&mut switch, &mut slack, &sight(now + 60, 0));
    assert!(matches!(&back[..], [Step::Schedule(_), Step::Correct(sent)] if sent.message.since == 1180), "{back:?}");
    assert_eq!((slack.lies.len(), slack.sent.len()), (1, 1));
}

#[test]
fn a_core_that_is_told_of_doesnt_keep_the_others_from_being_watched() {
    let (mut switch, mut slack) = (Switch::default(), Slack::default());
    let both = |now: i64, a: i64, b: i64| Sight { now, ages: [("a".into(), a), ("b".into(), b)].into(), after: AFTER };
    settle(&mut switch, &mut slack, &both(0, 0, 0));
    for minute in 1..=16 {
        slack.pass_to(60 * minute);
        settle(&mut switch, &mut slack, &both(60 * minute, 0, 60 * minute));
    }
    assert_eq!((slack.sent.len(), slack.lies.len()), (1, 1), "b is told of, a is watched");
    assert_eq!(switch.sent[0].cores, ["b"]);
    for minute in 17..=40 {
        slack.pass_to(60 * minute);
        settle(&mut switch, &mut slack, &both(60 * minute, 60 * (minute - 16), 60 * minute));
    }
    assert_eq!(slack.sent.len(), 2, "then a dies, too");
    let back = settle(&mut switch, &mut slack, &both(60 * 41, 0, 0));
    assert!(matches!(&back[..], [Step::Schedule(_), Step::Correct(_), Step::Correct(_)]), "{back:?}");
}

#[test]
fn a_restart_with_a_clock_an_hour_ahead_deletes_what_lies_there_and_one_behind_is_refused() {
    for (jump, sent) in [(3600, 0), (-3600, 1)] {
        let (mut switch, mut slack) = (Switch::default(), Slack::default());
        settle(&mut switch, &mut slack, &sight(10_000, 0));
        for minute in 1..=90 {
            let now = 10_000 + 60 * minute;
            slack.pass_to(now);
            let seen = sight(now + jump, 0);
            let mut listed = false;
            while let Some(step) = switch.next(&seen, listed) {
                switch.begin(&step);
                let answer = slack.call(&step, now);
                let is_refused = answer == Answer::Refused;
                switch.end(&step, answer, &seen);
                if is_refused {
                    break;
                }
                listed = step == Step::List;
            }
        }
        // An hour behind, each would be in Slack's past. The listener says so.
        assert_eq!((slack.sent.len(), slack.lies.len()), (sent, 1 - sent), "{jump}");
    }
}

/// One life: the process is killed and cut off at random, the core dies now and then, Slack is slow, and refuses.
fn live(seed: u64, renewals: usize) -> (usize, usize) {
    let mut chance = Chance(seed);
    let (mut slack, mut kept) = (Slack::default(), Switch::default());
    let (mut now, mut last_life, mut died, mut deaths) = (1_000_000_i64, 1_000_000_i64, None::<i64>, 0);
    let mut switch = kept.clone();
    let mut retry = 0;
    while usize::try_from(slack.given).unwrap() < renewals {
        now += 5;
        slack.pass_to(now);
        match died {
            None if chance.one_in(40_000) => died = Some(now),
            Some(at) if now - at > AFTER + 600 => {
                died = None;
                deaths += 1;
                assert_eq!(slack.sent.len(), deaths, "seed {seed}: one for each death");
            }
            _ => {}
        }
        if died.is_none() {
            last_life = now;
        }
        if now < retry {
            continue;
        }
        let view = sight(now, now - last_life);
        let mut listed = false;
        while let Some(step) = switch.next(&view, listed) {
            switch.begin(&step);
            kept = switch.clone();
            if chance.one_in(50) {
                switch = kept.clone(); // Killed before the call.
                break;
            }
            if chance.one_in(30) {
                switch.end(&step, Answer::Refused, &view); // A 429, with its Retry-After.
                retry = now + i64::try_from(chance.below(60)).unwrap();
                break;
            }
            let answer = slack.call(&step, now);
            if chance.one_in(50) {
                switch = kept.clone(); // Killed after the call.
                break;
            }
            let answer = if chance.one_in(30) { Answer::Unknown } else { answer };
            listed = step == Step::List && answer != Answer::Unknown;
            let is_unknown = answer == Answer::Unknown;
            switch.end(&step, answer, &view);
            kept = switch.clone();
            if is_unknown {
                retry = now + i64::try_from(chance.below(60)).unwrap();
                break;
            }
        }
        assert!(slack.lies.len() < 12, "seed {seed}");
    }
    drop(kept);
    (slack.sent.len(), deaths + usize::from(died.is_some_and(|at| now - at > AFTER)))
}

#[test]
fn ten_thousand_renewals_without_a_false_alarm_and_none_missed() {
    let (mut all, mut expected) = (0, 0);
    for seed in 1..=20 {
        let (sent, deaths) = live(seed, 500);
        assert_eq!(sent, deaths, "seed {seed}");
        all += sent;
        expected += deaths;
    }
    assert_eq!(all, expected);
    assert!(all > 5, "{all} deaths");
}
