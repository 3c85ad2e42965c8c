//! An ordinary service problem: what templates are tried on, and the first of the samples.

use super::{Fields, Notification};

/// When it happened, in Unix seconds.
pub(crate) const EXAMPLE_TIME: i64 = 1_795_234_312;

impl Fields {
    /// What every example has.
    pub(crate) fn example() -> Self {
        let mut fields = Self::default();
        for (key, value) in [
            ("notificationtype", "PROBLEM"),
            ("hostname", "web01"),
            ("hostalias", "Web server 1"),
            ("hostaddress", "192.0.2.10"),
            ("contact", "ops"),
            ("attempt", "3"),
            ("max-attempts", "3"),
            ("duration", "180"),
            ("notification-number", "1"),
            ("action-url", "https://wiki.example.com/disk"),
        ] {
            fields.put(key, value);
        }
        fields
    }
}

impl Notification {
    /// A disk that is nearly full.
    pub(crate) fn example() -> Self {
        let mut fields = Fields::example();
        for (key, value) in [
            ("servicedesc", "Disk"),
            ("servicestate", "2"),
            ("output", "DISK CRITICAL - free space: / 1043 MB (3% inode=94%)"),
            ("perfdata", "/=34957MB;30000;33000;0;36000 /home=12GB;40;45;0;50"),
            ("long-output", "/dev/sda1 97% /\n/dev/sdb1 24% /home"),
        ] {
            fields.put(key, value);
        }
        fields.into_notification(EXAMPLE_TIME)
    }
}
