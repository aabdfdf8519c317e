//! Program: which file is executed, and with which environment.

mod common;

use std::fs;
use std::path::Path;
use std::time::Instant;

use common::World;
use common::process::{bundle, command, has_ids, in_root, program, ran, script};
use serde_json::{Value, json};

/// A program that says where it is.
fn says(bundle: &Path, name: &str, text: &str) {
    program(bundle, name, format!("#!/bin/sh\necho {text}\n").as_bytes(), 0o755);
}

fn path(config: &mut Value, path: &str, words: &[&str]) {
    config["process"]["env"] = json!([format!("PATH={path}")]);
    command(config, words);
}

#[test]
fn the_example_has_the_home_of_its_passwd() {
    let ran = ran("program", |_| ()).ok();
    assert_eq!(ran.out, "PATH=/opt:/bin\nLANG=C\nHOME=/root\n");
}

#[test]
fn the_first_of_the_containers_path_is_taken() {
    for (search, found) in [("/one:/two", "one"), ("/two:/one", "two"), ("/none:/two", "two")] {
        let world = World::new();
        let bundle = bundle(&world, "program", |config| path(config, search, &["it"]));
        says(&bundle, "one/it", "one");
        says(&bundle, "two/it", "two");
        assert_eq!(world.run_bundle(&bundle).ok().out.trim(), found, "{search}");
    }
}

#[test]
fn without_path_the_usual_directories_are_searched() {
    let ran = ran("program", |config| {
        config["process"]["env"] = json!([]);
        command(config, &["env"]);
    });
    assert_eq!(ran.ok().out, "HOME=/root\n");
}

#[test]
fn an_empty_element_of_path_is_the_working_directory() {
    let world = World::new();
    let bundle = bundle(&world, "program", |config| {
        path(config, "/none:", &["it"]);
        config["process"]["cwd"] = json!("/here");
    });
    says(&bundle, "here/it", "here");
    assert_eq!(world.run_bundle(&bundle).ok().out, "here\n");
}

#[test]
fn what_is_not_found_is_127_and_what_cannot_be_executed_126_as_in_a_shell() {
    for (word, code, errno) in [
        ("nothere", 127, "ENOENT"),
        ("/bin/nothere", 127, "ENOENT"),
        ("/dangling", 127, "ENOENT"),
        ("/etc", 126, "EACCES"),
        ("/etc/passwd", 126, "EACCES"),
        ("plain", 126, "EACCES"),
        ("/bin/busybox/nothere", 126, "ENOTDIR"),
        ("/circle", 126, "ELOOP"),
    ] {
        let world = World::new();
        let bundle = bundle(&world, "program", |config| path(config, "/opt:/bin", &[word]));
        program(&bundle, "opt/plain", b"#!/bin/sh\n", 0o644);
        std::os::unix::fs::symlink("/bin/nothere", in_root(&bundle, "dangling")).expect("a link");
        std::os::unix::fs::symlink("circle", in_root(&bundle, "circle")).expect("a link");
        let ran = world.run_bundle(&bundle);
        assert_eq!(ran.out, "", "nothing ran: {word}");
        ran.fails(code, &["program (init)", errno]);
        world.assert_clean();
    }
}

#[test]
fn a_name_that_may_not_be_executed_in_one_directory_is_found_in_the_next() {
    let world = World::new();
    let bundle = bundle(&world, "program", |config| path(config, "/one:/two:/bin", &["it"]));
    program(&bundle, "one/it", b"#!/bin/sh\n", 0o644);
    says(&bundle, "two/it", "two");
    assert_eq!(world.run_bundle(&bundle).ok().out, "two\n");
}

/// Uid 1000, and a program that is in a directory of root's alone.
fn for_root_only(world: &World, capabilities: &[&str]) -> std::path::PathBuf {
    let bundle = bundle(world, "program", |config| {
        command(config, &["/private/it"]);
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        let set = json!(capabilities);
        config["process"]["capabilities"] = json!({"bounding": set, "permitted": set,
            "effective": set, "inheritable": set, "ambient": set});
    });
    program(&bundle, "private/it", &fs::read(in_root(&bundle, "bin/busybox")).unwrap(), 0o755);
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(in_root(&bundle, "private"), closed).expect("its mode");
    bundle
}

#[test]
fn whether_it_may_be_executed_is_asked_as_the_user_that_will_do_it() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    let world = World::new();
    let ran = world.run_bundle(&for_root_only(&world, &[]));
    ran.fails(126, &["program (init)", "EACCES", "likely:"]);
    world.assert_clean();
}

#[test]
fn the_capabilities_that_the_program_will_have_count_as_well() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    let world = World::new();
    // access(2) would ask without them. busybox run as "it" has no such applet: it did start.
    let ran = world.run_bundle(&for_root_only(&world, &["CAP_DAC_OVERRIDE"]));
    assert!(ran.code == 127 && ran.err.contains("it: applet not found"), "{ran:?}");
}

#[test]
fn home_is_that_of_the_user_in_the_containers_passwd() {
    let world = World::new();
    let bundle = bundle(&world, "program", |config| script(config, "echo $HOME"));
    for (passwd, home) in [
        ("root:x:0:0::/the/home:/bin/sh\n", "/the/home"),
        ("toor:x:0:0::/first:/bin/sh\nroot:x:0:0::/second:/bin/sh\n", "/first"),
        ("other:x:5:5::/not/mine:/bin/sh\n", "/"),
        ("root:x:0:0::relative:/bin/sh\n", "/"),
        ("root:x:0\n", "/"),
        ("", "/"),
    ] {
        fs::write(in_root(&bundle, "etc/passwd"), passwd).expect("passwd");
        assert_eq!(world.run_bundle(&bundle).ok().out.trim(), home, "{passwd}");
    }
    fs::remove_file(in_root(&bundle, "etc/passwd")).expect("no passwd");
    assert_eq!(world.run_bundle(&bundle).ok().out.trim(), "/");
}

#[test]
fn a_home_of_the_configuration_is_kept_even_an_empty_one() {
    for home in ["HOME=/mine", "HOME="] {
        let ran = ran("program", |config| config["process"]["env"] = json!(["PATH=/bin", home]));
        assert_eq!(ran.ok().out, format!("PATH=/bin\n{home}\n"));
    }
}

#[test]
fn passwd_as_a_link_leads_to_a_file_of_the_container_never_of_the_host() {
    let world = World::new();
    let bundle = bundle(&world, "program", |config| script(config, "echo $HOME"));
    let host = world.path("passwd");
    fs::write(&host, "root:x:0:0::/of/the/host:/bin/sh\n").expect("passwd of the host");
    for target in [host.to_string_lossy().into_owned(), format!("../../../..{}", host.display())] {
        fs::remove_file(in_root(&bundle, "etc/passwd")).expect("no passwd");
        std::os::unix::fs::symlink(&target, in_root(&bundle, "etc/passwd")).expect("a link");
        // The host's file is there for whoever follows the link on the host.
        assert!(fs::read_to_string(&host).is_ok());
        assert_eq!(world.run_bundle(&bundle).ok().out, "/\n", "{target}");
    }
}

#[test]
fn a_passwd_that_never_ends_is_refused_and_one_that_never_begins_does_not_hang() {
    let world = World::new();
    let bundle = bundle(&world, "program", |config| script(config, "echo $HOME"));
    let passwd = in_root(&bundle, "etc/passwd");
    let before = Instant::now();

    let huge = fs::File::create(&passwd).expect("passwd");
    huge.set_len(1 << 30).expect("a sparse GiB");
    let ran = world.run_bundle(&bundle);
    ran.fails(1, &["program (init)", "/etc/passwd", "EFBIG", "HOME"]);

    fs::remove_file(&passwd).expect("no passwd");
    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::from_bits_retain(0o666)).expect("a fifo");
    assert_eq!(world.run_bundle(&bundle).ok().out, "/\n", "a fifo that nobody writes to");
    // Nor one that somebody has open to write, and never does.
    let _writer = fs::OpenOptions::new().read(true).write(true).open(&passwd).expect("a writer");
    world.run_bundle(&bundle).fails(1, &["program (init)", "/etc/passwd", "EAGAIN"]);

    fs::remove_file(&passwd).expect("no fifo");
    fs::write(&passwd, b"root:x:0:0:\xff:/root:/bin/sh\n").expect("passwd");
    world.run_bundle(&bundle).fails(1, &["program (init)", "EILSEQ", "HOME"]);
    assert!(before.elapsed().as_secs() < 60);

    // With a HOME nobody asks for the file.
    fs::write(bundle.join("config.json"), {
        let text = fs::read_to_string(bundle.join("config.json")).expect("config.json");
        text.replace("\"LANG=C\"", "\"HOME=/given\"")
    })
    .expect("config.json");
    assert_eq!(world.run_bundle(&bundle).ok().out, "/given\n");
    world.assert_clean();
}

#[test]
fn a_program_on_a_noexec_mount_is_refused_at_create() {
    let world = World::new();
    let change = |options: &'static [&'static str]| {
        move |config: &mut Value| {
            command(config, &["/opt/it"]);
            let mount = json!({"destination": "/opt", "type": "bind", "source": "rootfs/opt",
                "options": options});
            config["mounts"].as_array_mut().unwrap().push(mount);
        }
    };
    let closed = bundle(&world, "program", change(&["bind", "noexec"]));
    says(&closed, "opt/it", "runs");
    world.run_bundle(&closed).fails(126, &["program (init)", "EACCES", "noexec"]);
    let world = World::new();
    let open = bundle(&world, "program", change(&["bind"]));
    says(&open, "opt/it", "runs");
    assert_eq!(world.run_bundle(&open).ok().out, "runs\n");
}
