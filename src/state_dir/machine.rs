//! Which machine this is, for listeners that share an outbox: names may be the same by mistake, as on two copies of a machine.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::fs::{metadata, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Another one on every machine, in every state directory and after every boot (`random(4)`: `boot_id`).
pub(crate) fn machine(state_dir: &Path) -> String {
    let boot = read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let directory = metadata(state_dir).map(|directory| (directory.dev(), directory.ino())).unwrap_or_default();
    let hash = Sha256::digest(format!("{} {directory:?}", boot.trim()));
    HEXLOWER.encode(&hash[..8])
}

#[cfg(test)]
mod tests {
    use super::machine;

    #[test]
    fn each_state_directory_is_a_machine_of_its_own() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(machine(one.path()), machine(one.path()));
        assert_ne!(machine(one.path()), machine(other.path()));
        assert_eq!(machine(one.path()).len(), 16);
    }
}
