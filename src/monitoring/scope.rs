//! How much of a core is asked for.

/// What is asked of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// What isn't well, with its state.
    Problems,
    /// Everything, by name; the states are left empty where that is cheaper.
    Names,
}
