//! How much of a core is asked for.

/// The objects that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Objects with a problem, with their state.
    Problems,
    /// Everything, by name; the states are left empty where that is cheaper.
    Names,
}
