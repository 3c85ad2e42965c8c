//! ackbell
mod config;
mod notification;
mod secret;

/// Runs the program.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
