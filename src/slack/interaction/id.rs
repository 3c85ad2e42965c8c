//! Slack's ids, each of a type of its own.

/// An id as Slack wrote it; never empty.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(String);

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl $name {
            /// `None` for the empty text: Slack writes it where it has no id.
            pub(crate) fn new(text: impl Into<String>) -> Option<Self> {
                Some(text.into()).filter(|text| !text.is_empty()).map(Self)
            }
        }
    )*};
}

ids! {
    /// Of a block element; ours.
    ActionId,
    /// Of a block; ours, or made up by Slack.
    BlockId,
    /// Of a view; ours.
    CallbackId,
    /// `C…`, `G…` or `D…`
    ChannelId,
    /// `Ev…`
    EventId,
    /// `1548261231.000200`: names a message within its channel; never a number.
    MessageTs,
    /// `T…`
    TeamId,
    /// Works once, for 3 s.
    TriggerId,
    /// `U…` or `W…`
    UserId,
    /// `V…`
    ViewId,
}
