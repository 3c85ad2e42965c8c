//! The whole program is in the library beside this file; see its front page.

fn main() -> std::process::ExitCode {
    ackbell::main()
}
