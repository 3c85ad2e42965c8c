//! The systemd drop-ins that set the core's user for the packages' units; without them the units don't start.

use super::write_files::Planned;
use crate::config::CoreKind;
use crate::monitoring::local::Local;
use std::path::Path;

/// Where the packages have them: `NAME.conf` and `NAME.tmpfiles`, by the user whom the core runs as.
const CORES: &str = "usr/share/ackbell/cores";
/// The path in the units' `ConditionPathExists=`.
const DROP_IN: &str = "etc/systemd/system/ackbell.service.d/10-core.conf";
/// At each boot, and after an upgrade.
const DIRECTORIES: &str = "etc/tmpfiles.d/ackbell.conf";

/// How the units are tied to a core.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DropIn {
    /// No package is installed, or they are tied already: by whom and to what is the administrator's business.
    Nothing,
    /// These files do it.
    Files(Vec<Planned>),
    /// The packages have none for this core.
    ByHand,
}

/// `root` is where the machine's files are.
pub(crate) fn plan_dropin(core: Option<&Local>, root: &Path) -> DropIn {
    let (cores, drop_in) = (root.join(CORES), root.join(DROP_IN));
    if !cores.is_dir() || drop_in.exists() {
        return DropIn::Nothing;
    }
    let name = core.and_then(|local| match local.kind {
        CoreKind::OpenItCockpit => Some("openitcockpit"),
        _ => local.account.as_ref().map(|account| account.user.as_str()),
    });
    let read = |kind: &str| std::fs::read_to_string(cores.join(format!("{}.{kind}", name?))).ok();
    let (Some(user), Some(directories)) = (read("conf"), read("tmpfiles")) else { return DropIn::ByHand };
    let file = |path, content| Planned { path, content, mode: 0o644, backup: None };
    DropIn::Files(vec![file(root.join(DIRECTORIES), directories), file(drop_in, user)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::local::{Account, local};
    use std::fs;

    fn core(kind: CoreKind, user: &str) -> Local {
        let account = Account { user: user.into(), uid: 7, group: user.into(), gid: 7 };
        Local { account: Some(account), ..local(kind, Path::new("/nowhere.cfg")) }
    }

    #[test]
    fn the_units_get_the_cores_user_once() {
        let root = tempfile::tempdir().unwrap();
        let naemon = core(CoreKind::Naemon, "naemon");
        assert_eq!(plan_dropin(Some(&naemon), root.path()), DropIn::Nothing, "no package is here");
        let cores = root.path().join(CORES);
        fs::create_dir_all(cores.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/cores"), cores).unwrap();
        for (core, line) in [
            (naemon, "User=naemon\n"),
            (core(CoreKind::Nagios, "nagios"), "User=nagios\n"),
            (core(CoreKind::Icinga2, "icinga"), "User=icinga\n"),
            (core(CoreKind::Centreon, "centreon-engine"), "User=centreon-engine\n"),
            (core(CoreKind::OpenItCockpit, "nagios"), "SupplementaryGroups=www-data\n"),
        ] {
            let DropIn::Files(files) = plan_dropin(Some(&core), root.path()) else { panic!("{core:?}") };
            assert_eq!(
                files.iter().map(|file| &file.path).collect::<Vec<_>>(),
                [&root.path().join(DIRECTORIES), &root.path().join(DROP_IN)]
            );
            assert!(files[1].content.contains(line), "{}", files[1].content);
            assert!(files[0].content.contains("d /var/lib/ackbell "), "{}", files[0].content);
        }
        assert_eq!(plan_dropin(Some(&core(CoreKind::Nagios, "monitor")), root.path()), DropIn::ByHand, "another user");
        assert_eq!(plan_dropin(None, root.path()), DropIn::ByHand);
        fs::create_dir_all(root.path().join(DROP_IN)).unwrap();
        assert_eq!(plan_dropin(None, root.path()), DropIn::Nothing, "the administrator's choice stays");
    }
}
