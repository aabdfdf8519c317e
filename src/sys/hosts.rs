//! How names of hosts are looked up: by the C library, which is static here.

use std::ffi::{c_char, c_int};

unsafe extern "C" {
    /// Of <nss.h>: what is said of a database is said in place of /etc/nsswitch.conf.
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// /etc/hosts and DNS, which glibc has in itself, and nothing else. What nsswitch.conf(5) names
/// besides (`resolve`, `myhostname`, `mdns4`) are libraries made for another copy of glibc, which
/// would be loaded beside ours: `myhostname` ends in a segmentation fault.
///
/// To be called before there are threads.
pub fn only_files_and_dns() {
    // SAFETY: two texts that end in NUL, of which glibc keeps a copy.
    unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
}
