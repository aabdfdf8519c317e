//! network: a namespace with nothing but a loopback device, and that is up.

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use common::{World, for_me, has_program, sh, shell, with_host_programs, without_namespace};

#[test]
fn the_container_of_the_example_has_loopback_and_it_is_up() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("network", for_me)).ok();
    assert!(ran.out.starts_with("1: lo: <LOOPBACK,UP,LOWER_UP>"), "{}", ran.out);
    assert!(ran.out.contains("inet 127.0.0.1/8"), "{}", ran.out);
    assert!(!ran.out.contains("\n2: "), "another device: {}", ran.out);
    world.assert_clean();
}

#[test]
fn two_programs_inside_reach_each_other_by_127_0_0_1() {
    let world = World::new();
    let talk =
        "echo hello | nc -l -p 7000 & until nc 127.0.0.1 7000 </dev/null; do sleep 0.1; done";
    let ran = world.run_bundle(&world.bundle("network", sh(talk))).ok();
    assert_eq!(ran.out, "hello\n");
    // A bare namespace: its loopback is down, and there is no way to anywhere.
    let bare = shell("unshare --user --map-root-user --net busybox nc 127.0.0.1 7000");
    assert!(bare.code != 0 && bare.err.contains("unreachable"), "{bare:?}");
}

#[test]
fn a_port_of_the_host_is_reached_only_without_the_namespace() {
    let world = World::new();
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = canary.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in canary.incoming() {
            stream.unwrap().write_all(b"canary").ok();
        }
    });
    let ask = format!("nc 127.0.0.1 {port} </dev/null");
    let ran = world.run_bundle(&world.bundle("network", sh(&ask)));
    assert!(ran.code == 1 && ran.err.contains("refused") && ran.out.is_empty(), "{ran:?}");
    let bundle = world.bundle("network", |config| {
        sh(&ask)(config);
        without_namespace(config, "network");
    });
    assert_eq!(world.run_bundle(&bundle).ok().out, "canary");
}

#[test]
fn an_abstract_socket_of_the_host_is_reached_only_without_the_namespace() {
    if !has_program("perl") {
        skip!("no perl here, and busybox cannot name an abstract socket");
    }
    let world = World::new();
    let name = world.id("canary");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let canary = UnixListener::bind_addr(&address).unwrap();
    std::thread::spawn(move || {
        for stream in canary.incoming() {
            stream.unwrap().write_all(b"canary").ok();
        }
    });
    let ask = format!(
        "exec /usr/bin/perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or die;
         connect(S, pack_sockaddr_un(\"\\0{name}\")) or die \"connect: $!\"; print <S>'"
    );
    let bundle = |shared| {
        world.bundle("network", |config| {
            sh(&ask)(config);
            with_host_programs(config);
            if shared {
                without_namespace(config, "network");
            }
        })
    };
    let ran = world.run_bundle(&bundle(false));
    assert!(ran.code == 111 && ran.err.contains("Connection refused"), "ECONNREFUSED: {ran:?}");
    assert_eq!(world.run_bundle(&bundle(true)).ok().out, "canary");
}
