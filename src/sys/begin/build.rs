//! jec begins in src/sys/begin/lib.rs, where that knows the processor.

fn main() {
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if ["x86_64", "aarch64"].contains(&&*arch) {
        println!("cargo:rustc-link-arg-bin=jec=-Wl,--entry=jec_begin");
    }
    println!("cargo:rerun-if-changed=src/sys/begin/build.rs");
}
