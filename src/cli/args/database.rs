//! The arguments of `database`.

use crate::cli::secret_file;
use clap::{Args, Subcommand};
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  ackbell database init --url postgres://postgres@db.example.com/ackbell --password-file owner-password
  sudo ackbell database copy --to postgres://ackbell@db.example.com/ackbell --password-file /etc/ackbell/db-password

Without [database] in the configuration the outbox is a file in the state directory, and nothing of this is needed. A database
is for several listeners that share one outbox.";

const INIT_EXAMPLES: &str = "\
Examples:
  ackbell database init
  ackbell database init --url postgres://postgres@db.example.com/ackbell --password-file owner-password

Makes the tables, or brings those of an older ackbell up to date; run again it changes nothing. It needs a role that may create
tables there, and prints the rights that the role for daily work needs.
Exit status: 0 done; 64 the URL; 69 the database can't be used; 78 configuration.";

const COPY_EXAMPLES: &str = "\
Example:
  sudo systemctl stop ackbell
  sudo ackbell database copy --to postgres://ackbell@db.example.com/ackbell --password-file /etc/ackbell/db-password

Copies the outbox of the state directory: what waits, the messages that are open in Slack, the memory and the audit. All of it
or nothing is there afterwards. The file is then renamed to ackbell.db.copied-1, so that nothing is sent from it a second time. The
target must have been made by `ackbell database init` and be empty. Then write [database] into the configuration, and start the
listener.
Exit status: 0 done; 64 the URL; 69 the database can't be used; 73 the file can't be read; 75 a listener runs; 77 the target
isn't empty; 78 configuration.";

#[derive(Debug, Args)]
pub(crate) struct DatabaseArgs {
    #[command(subcommand)]
    pub(crate) what: DatabaseVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseVerb {
    /// Make the outbox's tables in a PostgreSQL database, and print the rights for daily work
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// The database, by a role that may create tables [default: url of [database]]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Copy the outbox of the state directory into a PostgreSQL database
    #[command(after_help = COPY_EXAMPLES)]
    Copy {
        /// The database, made by `ackbell database init`
        #[arg(long, value_name = "URL")]
        to: String,
        #[command(flatten)]
        password: PasswordFile,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PasswordFile {
    /// A file with the role's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The password, once it was read.
    #[arg(skip)]
    password: Option<String>,
}

impl DatabaseArgs {
    /// Reads the password, as the user who named its file; the error is a sentence.
    pub(crate) fn read_password(&mut self) -> Result<(), String> {
        let (DatabaseVerb::Init { password, .. } | DatabaseVerb::Copy { password, .. }) = &mut self.what;
        let Some(path) = &password.password_file else { return Ok(()) };
        let read = secret_file::read(path).map_err(|e| format!("--password-file {}: {e}", path.display()))?;
        password.password = Some(read);
        Ok(())
    }
}

impl PasswordFile {
    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }
}
