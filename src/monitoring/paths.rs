//! The paths of a core's files and sockets: from the configuration, else the core's own main configuration, else the
//! usual places of its kind, where something is there.

use super::object_blocks::Lines;
use super::relay;
use crate::config::{Config, Core, CoreKind, Livestatus, LivestatusAddress};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The usual places of one packaging of a core.
struct Usual {
    kind: CoreKind,
    main_config: &'static str,
    command_file: &'static str,
    status_file: &'static str,
    objects_file: &'static str,
    log_file: &'static str,
    query_socket: &'static str,
    livestatus: &'static str,
}

/// Debian, EPEL, from source; Naemon; openITCOCKPIT; Centreon. Icinga 2 has its API, Checkmk a tree for each site.
const USUAL: [Usual; 6] = [
    Usual {
        kind: CoreKind::Nagios,
        main_config: "/etc/nagios4/nagios.cfg",
        command_file: "/var/lib/nagios4/rw/nagios.cmd",
        status_file: "/var/lib/nagios4/status.dat",
        objects_file: "/var/lib/nagios4/objects.cache",
        log_file: "/var/log/nagios4/nagios.log",
        query_socket: "",
        livestatus: "",
    },
    Usual {
        kind: CoreKind::Nagios,
        main_config: "/etc/nagios/nagios.cfg",
        command_file: "/var/spool/nagios/cmd/nagios.cmd",
        status_file: "/var/spool/nagios/status.dat",
        objects_file: "/var/spool/nagios/objects.cache",
        log_file: "/var/log/nagios/nagios.log",
        query_socket: "",
        livestatus: "",
    },
    Usual {
        kind: CoreKind::Nagios,
        main_config: "/usr/local/nagios/etc/nagios.cfg",
        command_file: "/usr/local/nagios/var/rw/nagios.cmd",
        status_file: "/usr/local/nagios/var/status.dat",
        objects_file: "/usr/local/nagios/var/objects.cache",
        log_file: "/usr/local/nagios/var/nagios.log",
        query_socket: "",
        livestatus: "",
    },
    Usual {
        kind: CoreKind::Naemon,
        main_config: "/etc/naemon/naemon.cfg",
        command_file: "/var/lib/naemon/naemon.cmd",
        status_file: "/var/lib/naemon/status.dat",
        objects_file: "/var/cache/naemon/objects.cache",
        log_file: "/var/log/naemon/naemon.log",
        query_socket: "/var/lib/naemon/naemon.qh",
        livestatus: "/var/cache/naemon/live",
    },
    Usual {
        kind: CoreKind::OpenItCockpit,
        main_config: "/opt/openitc/nagios/etc/nagios.cfg",
        command_file: "/opt/openitc/nagios/var/rw/nagios.cmd",
        status_file: "/opt/openitc/nagios/var/status.dat",
        objects_file: "/opt/openitc/nagios/var/objects.cache",
        log_file: "/opt/openitc/nagios/var/nagios.log",
        query_socket: "/opt/openitc/nagios/var/rw/nagios.qh",
        livestatus: "",
    },
    // A central and a poller have the same: centreon-collect's `packaging/centreon-collect/centreon-engine-daemon.yaml` and
    // `engine/conf/centengine.cfg.in`. It writes no objects.cache, and its log has no times that ours could read
    // (`common/log_v2/log_v2.cc`).
    Usual {
        kind: CoreKind::Centreon,
        main_config: "/etc/centreon-engine/centengine.cfg",
        command_file: "/var/lib/centreon-engine/rw/centengine.cmd",
        status_file: "/var/log/centreon-engine/status.dat",
        objects_file: "",
        log_file: "",
        query_socket: "",
        livestatus: "",
    },
];

/// Centreon Engine's `status_update_interval` where nothing sets it (`common/engine_conf/state_helper.cc`).
const CENTREON_INTERVAL: u64 = 60;

/// So deep may files include others.
const INCLUDED_MAX: usize = 4;

/// The known paths and settings of a core. A path need not exist: a core that is down has no FIFO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) command_file: Option<PathBuf>,
    pub(crate) status_file: Option<PathBuf>,
    pub(crate) objects_file: Option<PathBuf>,
    pub(crate) log_file: Option<PathBuf>,
    /// Only of a core whose query handler takes commands, or where the configuration names it.
    pub(crate) query_socket: Option<PathBuf>,
    pub(crate) livestatus: Option<Livestatus>,
    /// `check_external_commands`, where the main configuration says it.
    pub(crate) external_commands_checked: Option<bool>,
    /// `status_update_interval`, in seconds.
    pub(crate) status_update_interval: Option<u64>,
}

impl Paths {
    /// Looks for them; of the files only the main configuration is read.
    pub(crate) fn find(core: &Core) -> Self {
        // What is in these places here belongs to another core.
        if core.is_remote() {
            let several = core.members();
            let status_update_interval = match several.as_slice() {
                [_] => relay::status_update_interval(core),
                several => several.iter().filter_map(|member| Self::find(member).status_update_interval).max(),
            };
            return Self { status_update_interval, ..Self::default() };
        }
        let usual: Vec<&Usual> = USUAL.iter().filter(|usual| usual.kind == core.kind).collect();
        let existing = |of: fn(&Usual) -> &'static str| {
            usual
                .iter()
                .map(|usual| of(usual))
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
                .find(|path| path.exists())
        };
        let main = main_config(core).map(|(_, main)| main).unwrap_or_default();
        let pick = |own: &Option<PathBuf>, configured: &Option<PathBuf>, of: fn(&Usual) -> &'static str| {
            own.clone().or_else(|| configured.clone()).or_else(|| existing(of))
        };
        let takes_queries = matches!(core.kind, CoreKind::Naemon | CoreKind::OpenItCockpit);
        let configured_socket = main.query_socket.filter(|_| takes_queries);
        // Its main configuration may name files that it doesn't write, or that nothing here can read.
        let is_centreon = core.kind == CoreKind::Centreon;
        let configured_objects = main.objects_file.filter(|_| !is_centreon);
        let configured_log = main.log_file.filter(|_| !is_centreon);
        Self {
            command_file: pick(&core.command_file, &main.command_file, |usual| usual.command_file),
            status_file: pick(&core.status_file, &main.status_file, |usual| usual.status_file),
            objects_file: pick(&core.objects_file, &configured_objects, |usual| usual.objects_file),
            log_file: pick(&core.log_file, &configured_log, |usual| usual.log_file),
            query_socket: pick(&core.query_socket, &configured_socket, |usual| usual.query_socket),
            livestatus: core
                .livestatus
                .clone()
                .or_else(|| existing(|usual| usual.livestatus).map(|path| LivestatusAddress::Unix(path).into())),
            external_commands_checked: main.external_commands_checked,
            status_update_interval: main.status_update_interval.or(is_centreon.then_some(CENTREON_INTERVAL)),
        }
    }
}

/// The core's main configuration, where one is named or in its usual place, and where that is.
pub(super) fn main_config(core: &Core) -> Option<(PathBuf, MainConfig)> {
    if core.is_remote() {
        return None;
    }
    let mut usual = USUAL.iter().filter(|usual| usual.kind == core.kind).map(|usual| PathBuf::from(usual.main_config));
    let path = core.main_config.clone().or_else(|| usual.find(|path| path.exists()))?;
    MainConfig::read(&path).map(|main| (path, main))
}

/// The main configurations of this machine's cores, in the usual places.
pub(super) fn main_configs() -> Vec<(CoreKind, PathBuf)> {
    let usual = USUAL.iter().map(|usual| (usual.kind, PathBuf::from(usual.main_config)));
    usual.filter(|(_, path)| path.exists()).collect()
}

/// The core of this machine when none is configured: the kind whose main configuration is there.
pub(crate) fn found() -> Core {
    let kind = USUAL.iter().find(|usual| Path::new(usual.main_config).exists()).map(|usual| usual.kind);
    Core { kind: kind.unwrap_or_default(), ..Core::default() }
}

/// The configured cores; the machine's own where none is configured.
pub(crate) fn cores(config: &Config) -> Vec<Core> {
    if config.cores.is_empty() { vec![found()] } else { config.cores.clone() }
}

/// The configured core of that name; the machine's own where none is configured.
pub(crate) fn core(config: &Config, name: &str) -> Option<Core> {
    let configured = config.cores.iter().find(|core| core.name == name).cloned();
    configured.or_else(|| name.is_empty().then(found))
}

/// The few lines of `nagios.cfg` or `naemon.cfg` that matter here.
#[derive(Debug, Default)]
pub(super) struct MainConfig {
    /// The user that the core runs as.
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    /// The directories of its objects.
    pub(super) object_dirs: Vec<PathBuf>,
    command_file: Option<PathBuf>,
    status_file: Option<PathBuf>,
    objects_file: Option<PathBuf>,
    log_file: Option<PathBuf>,
    query_socket: Option<PathBuf>,
    external_commands_checked: Option<bool>,
    status_update_interval: Option<u64>,
    /// The characters as they stand there: see [`super::shell`].
    pub(super) illegal_macro_chars: Option<String>,
    pub(super) illegal_name_chars: Option<String>,
}

impl MainConfig {
    /// With the files that a Naemon includes; `None` when it can't be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut found = Self::default();
        found.add_file(path, INCLUDED_MAX)?;
        Some(found)
    }

    fn add_file(&mut self, path: &Path, depth: usize) -> Option<()> {
        let base = path.parent().unwrap_or(Path::new("/"));
        let mut lines = Lines::new(File::open(path).ok()?);
        while let Ok(Some(line)) = lines.next() {
            let line = String::from_utf8_lossy(line).into_owned();
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            let included = match key {
                "include_file" => vec![base.join(value)],
                "include_dir" => configs_in(&base.join(value)),
                _ => {
                    self.add(key, value, base);
                    continue;
                }
            };
            for path in included.iter().filter(|_| depth > 0) {
                self.add_file(path, depth - 1);
            }
        }
        Some(())
    }

    fn add(&mut self, key: &str, value: &str, base: &Path) {
        let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
        let path = || text().map(|value| base.join(value));
        match key {
            "nagios_user" | "naemon_user" => self.user = text(),
            "nagios_group" | "naemon_group" => self.group = text(),
            "cfg_dir" => self.object_dirs.extend(path()),
            "command_file" => self.command_file = path(),
            "status_file" => self.status_file = path(),
            "object_cache_file" => self.objects_file = path(),
            "log_file" => self.log_file = path(),
            "query_socket" => self.query_socket = path(),
            "check_external_commands" => self.external_commands_checked = Some(value != "0"),
            "illegal_macro_output_chars" => self.illegal_macro_chars = text(),
            "illegal_object_name_chars" => self.illegal_name_chars = text(),
            "status_update_interval" => self.status_update_interval = value.parse().ok(),
            _ => {}
        }
    }
}

/// The files that a core reads of a directory of configurations, in its order.
fn configs_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "cfg")).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As its packages and its sample of a main configuration have them.
    #[test]
    fn a_centreon_is_where_its_packages_put_it() {
        let main_config = Some(PathBuf::from("/no/centengine.cfg"));
        let core = Core { kind: CoreKind::Centreon, main_config, ..Core::default() };
        assert_eq!(Paths::find(&core).status_update_interval, Some(60), "its own default");
        let usual = USUAL.iter().find(|usual| usual.kind == CoreKind::Centreon).unwrap();
        assert_eq!(usual.main_config, "/etc/centreon-engine/centengine.cfg");
        assert_eq!(usual.command_file, "/var/lib/centreon-engine/rw/centengine.cmd");
        assert_eq!(usual.status_file, "/var/log/centreon-engine/status.dat");
    }

    #[test]
    fn without_configuration_the_machine_is_looked_at() {
        let is_here = Path::new("/etc/naemon/naemon.cfg").exists() && !Path::new("/etc/nagios4/nagios.cfg").exists();
        assert_eq!(found().kind == CoreKind::Naemon, is_here);
    }

    #[test]
    fn the_main_configuration_says_where_things_are() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("nagios.cfg");
        let text = "# command_file=/no\ncommand_file=rw/nagios.cmd\nstatus_file = /s/status.dat \nquery_socket=/s/qh\n\
            check_external_commands=0\nstatus_update_interval=10\nobject_cache_file=/s/objects.cache\nlog_file=/s/log\nx\n";
        std::fs::write(&main, text).unwrap();
        let status_file = Some(PathBuf::from("/mine"));
        let core = Core { main_config: Some(main), status_file, ..Core::default() };
        let found = Paths::find(&core);
        assert_eq!(found.command_file, Some(directory.path().join("rw/nagios.cmd")));
        assert_eq!(found.status_file, Some("/mine".into()), "the configuration wins");
        assert_eq!((found.objects_file, found.log_file), (Some("/s/objects.cache".into()), Some("/s/log".into())));
        assert_eq!(found.query_socket, None, "a Nagios' takes no commands");
        assert_eq!((found.external_commands_checked, found.status_update_interval), (Some(false), Some(10)));
        let centreon = Paths::find(&Core { kind: CoreKind::Centreon, ..core.clone() });
        assert_eq!((centreon.objects_file, centreon.log_file), (None, None), "no such file, and a log of another form");
        assert_eq!(centreon.command_file, Some(directory.path().join("rw/nagios.cmd")));
        let naemon = Core { kind: CoreKind::Naemon, ..core };
        assert_eq!(Paths::find(&naemon).query_socket, Some("/s/qh".into()));
        // A Naemon's may include others; one that includes itself ends.
        let included = directory.path().join("more.d");
        std::fs::create_dir(&included).unwrap();
        std::fs::write(included.join("a.cfg"), "include_file=a.cfg\nillegal_macro_output_chars='=\"\n").unwrap();
        std::fs::write(included.join("b.txt"), "illegal_macro_output_chars=no\n").unwrap();
        std::fs::write(naemon.main_config.as_ref().unwrap(), "include_dir=more.d\n").unwrap();
        let (_, found) = main_config(&naemon).unwrap();
        assert_eq!(found.illegal_macro_chars.as_deref(), Some("'=\""));
    }
}
