//! What this machine is called.

/// Its name, as `uname -n` says it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
