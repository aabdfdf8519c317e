//! session: init leaves jec's terminal, keyring and view.
#![allow(unsafe_code)] // keyctl(2) and add_key(2), which nobody wraps

mod common;

use std::ffi::CString;

use common::{World, for_me, has_program, sh, shell, with_host_programs};

#[test]
fn the_program_of_the_example_has_no_terminal() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("session", for_me));
    assert!(ran.code == 1 && ran.err.contains("can't open /dev/tty: No such device"), "{ran:?}");
    world.assert_clean();
}

#[test]
fn init_leads_a_session_of_its_own() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("session", sh("exec sleep 300")));
    let stat = held.proc("stat");
    // proc_pid_stat(5), from the third field on: state ppid pgrp session tty_nr.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let pid = held.pid.to_string();
    assert_eq!((fields[2], fields[3], fields[4]), (&*pid, &*pid, "0"), "{stat}");
}

/// CVE-2017-5226: keystrokes for the shell outside.
#[test]
fn no_command_can_be_typed_into_the_terminal_of_the_host() {
    let legacy = std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti");
    if legacy.is_ok_and(|value| value.trim() == "0") {
        skip!("this kernel has TIOCSTI switched off");
    }
    if !has_program("perl") || !has_program("script") {
        skip!("no perl or no script(1) here");
    }
    let world = World::new();
    // TIOCSTI is 0x5412 (<asm-generic/ioctls.h>). One letter, and the end of the line.
    let attack = "perl -e 'for my $key (\"Z\", \"\\n\") { my $copy = $key; ioctl(STDIN, 0x5412, $copy) or die \"TIOCSTI: $!\\n\" }'";
    let bundle = world.bundle("session", |config| {
        sh(&format!("/usr/bin/{attack}"))(config);
        with_host_programs(config);
    });
    // A terminal with a shell, which runs the attack and then reads what was typed.
    let typed = |attack: &str| {
        let path = world.path("attack.sh");
        let read = "line=; read -t 2 line; echo \"typed: <$line>\"";
        std::fs::write(&path, format!("{attack}\n{read}\n")).unwrap();
        shell(&format!("sleep 6 | script -qec 'bash {}' /dev/null", path.display())).out
    };
    let contained = typed(&world.run_words(&bundle));
    assert!(contained.contains("TIOCSTI: Operation not permitted"), "{contained}");
    assert!(contained.contains("typed: <>"), "{contained}");
    let bare = typed(attack);
    assert!(bare.contains("typed: <Z>"), "{bare}");
    world.assert_clean();
}

const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
const KEYCTL_SETPERM: libc::c_int = 5;
const SESSION: libc::c_int = -3;
/// Who possesses it may do everything, nobody else anything.
const POSSESSOR: libc::c_long = 0x3f00_0000;

/// This thread, and what it starts, gets a session keyring with a canary in it,
/// which only who possesses the keyring can see. Returns its name.
fn keyring_with_canary(world: &World, keyring: Option<&str>) -> Option<String> {
    let name = world.id("canary");
    let keyring = keyring.map(|name| CString::new(name).unwrap());
    let pointer = keyring.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
    let key = CString::new(&*name).unwrap();
    let kind = c"user".as_ptr();
    // SAFETY: the strings are NUL-terminated and outlive the calls.
    unsafe {
        if libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, pointer) < 0 {
            return None;
        }
        let id = libc::syscall(libc::SYS_add_key, kind, key.as_ptr(), c"x".as_ptr(), 1, SESSION);
        assert!(id > 0 && libc::syscall(libc::SYS_keyctl, KEYCTL_SETPERM, id, POSSESSOR) == 0);
        // The keyring itself is open to everybody: what the attacker would do.
        let everybody: libc::c_long = 0x3f3f_3f3f;
        assert!(libc::syscall(libc::SYS_keyctl, KEYCTL_SETPERM, SESSION, everybody) == 0);
    }
    Some(name)
}

#[test]
fn the_keys_of_the_hosts_session_are_not_the_containers() {
    let world = World::new();
    let Some(canary) = keyring_with_canary(&world, None) else {
        skip!("this kernel, or a filter above us, has no keyrings for us");
    };
    let ran = world.run_bundle(&world.bundle("session", sh("cat /proc/keys"))).ok();
    assert!(ran.out.contains("_ses"), "it has a keyring: {}", ran.out);
    assert!(!ran.out.contains(&canary), "{}", ran.out);
    assert!(shell("cat /proc/keys").out.contains(&canary), "a bare process has them");
}

#[test]
fn nobody_can_lay_out_a_keyring_for_the_container_to_step_into() {
    let world = World::new();
    // The name that runc would join: _ses. and the container's id.
    let name = format!("_ses.{}", world.id("b"));
    let Some(canary) = keyring_with_canary(&world, Some(&name)) else {
        skip!("this kernel, or a filter above us, has no keyrings for us");
    };
    let ran = world.run_bundle(&world.bundle("session", sh("cat /proc/keys"))).ok();
    assert!(!ran.out.contains(&canary), "{}", ran.out);
    // Who asks for the keyring by its name gets it, from an empty session, too.
    let name = CString::new(name).unwrap();
    let join = move || {
        let null = std::ptr::null::<libc::c_char>();
        // SAFETY: the name is NUL-terminated and outlives the call.
        unsafe {
            libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, null);
            libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr());
        }
        shell("cat /proc/keys").out
    };
    let joined = std::thread::spawn(join).join().unwrap();
    assert!(joined.contains(&canary), "{joined}");
}
