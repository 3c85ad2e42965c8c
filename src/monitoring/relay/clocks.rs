//! The difference between two clocks: a relay's core and its centre each judge by their own.

use crate::model::action::Action;
use crate::model::core_snapshot::{Snapshot, State};

/// Less than that is the way of a request, and the second in which a time was cut off.
const NOTICED_MS: i64 = 3_000;

/// How far the relay's clock is ahead of ours, in whole seconds.
///
/// It stays as it is while the measurements differ little, so that what is sent by it compares with what is read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ahead(i64);

impl Ahead {
    /// A new measurement.
    pub(super) fn measured(self, relay_ms: i64, own_ms: i64) -> Self {
        let ahead = relay_ms.saturating_sub(own_ms);
        if ahead.saturating_abs() < NOTICED_MS {
            return Self(0);
        }
        if ahead.saturating_sub(self.0.saturating_mul(1000)).saturating_abs() < NOTICED_MS {
            return self;
        }
        Self(ahead.saturating_add(ahead.signum() * 500) / 1000)
    }

    pub(crate) fn seconds(self) -> i64 {
        self.0
    }

    /// A time of ours, by the relay's clock; 0 is never.
    pub(super) fn to_relay(self, time: i64) -> i64 {
        if time == 0 { 0 } else { time.saturating_add(self.0) }
    }

    /// A time of the relay's, by our clock; 0 is never.
    pub(crate) fn to_own(self, time: i64) -> i64 {
        Self(self.0.saturating_neg()).to_relay(time)
    }

    pub(super) fn action_to_relay(self, action: &mut Action) {
        match action {
            Action::Acknowledge { expiry: Some(at), .. } | Action::Recheck { at } => *at = self.to_relay(*at),
            Action::Downtime { start, end, .. } => {
                (*start, *end) = (self.to_relay(*start), self.to_relay(*end));
            }
            Action::Acknowledge { expiry: None, .. }
            | Action::RemoveAcknowledgement
            | Action::CancelDowntime { .. }
            | Action::StopNotifications
            | Action::ResumeNotifications
            | Action::Comment { .. } => {}
        }
    }

    pub(super) fn snapshot_to_own(self, snapshot: &mut Snapshot) {
        snapshot.created = self.to_own(snapshot.created);
        snapshot.program.start = snapshot.program.start.map(|time| self.to_own(time));
        for state in snapshot.states.values_mut() {
            self.state_to_own(state);
        }
    }

    pub(super) fn state_to_own(self, state: &mut State) {
        let comments = [&mut state.acknowledgements, &mut state.comments, &mut state.unplaced];
        for comment in comments.into_iter().flatten() {
            comment.time = self.to_own(comment.time);
        }
        for downtime in &mut state.downtimes {
            (downtime.start, downtime.end) = (self.to_own(downtime.start), self.to_own(downtime.end));
        }
        for time in [&mut state.last_check, &mut state.next_check, &mut state.last_state_change] {
            *time = self.to_own(*time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_apart_a_downtime_comes_back_as_it_was_sent() {
        let ahead = Ahead::default().measured(1_000_300_900, 1_000_000_000);
        assert_eq!(ahead.seconds(), 301, "rounded");
        let flexible = None;
        let mut sent = Action::Downtime { start: 1000, end: 4600, flexible, comment: "x".into(), host_services: false };
        ahead.action_to_relay(&mut sent);
        let Action::Downtime { start, end, .. } = sent else { panic!("{sent:?}") };
        assert_eq!((start, end), (1301, 4901));
        // The next measurement differs by the length of a way: what was sent still compares.
        let later = ahead.measured(1_000_302_000, 1_000_000_000);
        assert_eq!([later.to_own(start), later.to_own(end), later.to_own(0)], [1000, 4600, 0]);
        assert_eq!(later.measured(2_000, 2_500).seconds(), 0, "set right");
    }

    #[test]
    fn the_length_of_a_way_is_no_difference() {
        assert_eq!(Ahead::default().measured(10_000, 12_900), Ahead(0));
        assert_eq!(Ahead::default().measured(10_000, 20_000).seconds(), -10);
    }

    #[test]
    fn a_clock_beyond_all_times_stops_nothing() {
        for relay_ms in [i64::MIN, i64::MAX] {
            let ahead = Ahead::default().measured(relay_ms, 1_795_000_000_000);
            let mut sent = Action::Recheck { at: 1_795_000_000 };
            ahead.action_to_relay(&mut sent);
            assert_ne!((ahead.to_own(i64::MAX), ahead.to_own(i64::MIN)), (0, 0));
            assert_eq!(ahead.measured(0, 1000).seconds(), 0);
        }
    }
}
