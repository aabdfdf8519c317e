//! `jec image`, and `jec run` of an image: what is in the store, and what runs from it.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::image::{
    INDEX, Item, Layout, Pack, architecture, digest, docker_archive, of_platform, tagged, tar,
};
use common::{Ran, World, rootfs};
use serde_json::{Value, json};

/// A world with a store of its own.
struct Images(World);

impl Images {
    fn new() -> Self {
        Self(World::new())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.jec();
        command.env("XDG_DATA_HOME", self.0.path("data")).args(words);
        command
    }

    fn jec(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words))
    }

    fn store(&self, name: &str) -> PathBuf {
        self.0.path("data/jec").join(name)
    }

    /// The names of layers and of what else lies there.
    fn names(&self, of: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.store(of)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn layers(&self) -> usize {
        self.names("layers/sha256").iter().filter(|name| name.len() == 64).count()
    }

    fn no_half_ones(&self) {
        let names = self.names("layers/sha256");
        assert!(!names.iter().any(|name| name.ends_with(".partial")), "{names:?}");
    }

    fn layout(&self, name: &str) -> Layout {
        Layout::new(self.0.path(name))
    }

    fn word(&self, name: &str) -> String {
        format!("oci:{}", self.0.path(name).display())
    }

    /// Two layers with everything that a layer can say of another, and a configuration.
    fn made(&self, name: &str) -> Layout {
        let layout = self.layout(name);
        let layers = [(base(), Pack::Gzip), (upper(), Pack::Zstd)];
        layout.index(&[layout.image(&layers, &config(), |_, _| {})]);
        layout
    }
}

fn busybox() -> Vec<u8> {
    fs::read(rootfs().join("bin/busybox")).expect("busybox")
}

fn base() -> Vec<u8> {
    let busybox = busybox();
    let mut items = vec![("bin", Item::Directory), ("bin/busybox", Item::File(&busybox))];
    let names = ["bin/sh", "bin/ls", "bin/cat", "bin/id", "bin/env", "bin/sleep", "bin/stat"];
    items.extend(names.map(|name| (name, Item::Link("busybox"))));
    items.extend([
        ("etc/passwd", Item::File(b"root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/srv:/bin/sh\n")),
        ("old", Item::File(b"old")),
        ("data/seed", Item::Of(1000, b"seed")),
        ("d/low", Item::File(b"")),
        ("both/low", Item::File(b"")),
        ("was-a-directory/inner", Item::File(b"")),
    ]);
    tar(&items)
}

fn upper() -> Vec<u8> {
    tar(&[
        (".wh.old", Item::File(b"")),
        ("d", Item::Directory),
        ("d/.wh..wh..opq", Item::File(b"")),
        ("d/high", Item::File(b"")),
        ("both/high", Item::File(b"")),
        ("was-a-directory", Item::File(b"now a file")),
    ])
}

fn config() -> Value {
    json!({"User": "web", "Env": ["A=b", "PATH=/bin", "HOME_OF_THE_HOST"],
        "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["id -u"], "WorkingDir": "/work",
        "Volumes": {"/data": {}, "/proc": {}}, "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGINT", "Labels": {"a": "b", "jec.overlay.upper": "/etc"}})
}

#[test]
fn an_image_runs_with_what_it_says_of_itself() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    let script =
        "id -u; echo $A $PATH $HOME ${HOME_OF_THE_HOST-unset}; cat /proc/self/mounts; ls -d $PWD";
    let mut command = images.command(&["run", &word, script]);
    command.env("HOME_OF_THE_HOST", "secret");
    let ran = Ran::of(command).ok();
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[..2], ["1000", "b /bin /srv unset"], "{}", ran.out);
    assert!(lines.iter().any(|line| line.starts_with("overlay / overlay ")), "{}", ran.out);
    assert!(lines.iter().any(|line| line.starts_with("tmpfs /data tmpfs ")), "{}", ran.out);
    // A volume on /proc lies below the real one.
    let last = lines.iter().rfind(|line| line.split(' ').nth(1) == Some("/proc"));
    assert!(last.is_some_and(|line| line.contains(" proc ")), "{}", ran.out);
    assert_eq!(lines.last(), Some(&"/work"));
    // Its own command.
    assert_eq!(images.jec(&["run", &word]).ok().out, "1000\n");
    images.0.assert_clean();
}

#[test]
fn layers_hide_what_is_below_them() {
    let images = Images::new();
    images.made("box");
    let script = "ls / d both; cat was-a-directory; stat -c %u /data/seed";
    let ran = images.jec(&["run", "-w", "/", &images.word("box"), script]).ok();
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    assert!(!words.contains(&"old"), "{}", ran.out);
    let end = "both: high low d: high now a file1000";
    assert!(words.join(" ").ends_with(end), "{}", ran.out);
}

#[test]
fn what_a_container_changes_is_gone_with_it() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    let line = "echo x > /old; echo y > /bin/new; cat /old /bin/new";
    assert_eq!(images.jec(&["run", "-u", "0", &word, line]).ok().out, "x\ny\n");
    assert_eq!(images.jec(&["run", "-u", "0", &word, "cat /old || echo gone"]).ok().out, "gone\n");
}

#[test]
fn flags_win_over_the_image() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    let words = [
        "run",
        "-u",
        "0:0",
        "-e",
        "A=c",
        "-w",
        "/bin",
        "--tmpfs",
        "/data",
        &word,
        "id -u; echo $A; ls $PWD/sh; ls /data",
    ];
    assert_eq!(images.jec(&words).ok().out, "0\nc\n/bin/sh\n");
    let spec = images.jec(&["spec", &word]).ok().out;
    let spec: Value = serde_json::from_str(&spec).expect("JSON");
    let notes = &spec["annotations"];
    assert_eq!(notes["org.opencontainers.image.stopSignal"], "SIGINT");
    assert_eq!(notes["org.opencontainers.image.exposedPorts"], "80/tcp");
    assert_eq!(notes["a"], "b");
    assert_eq!(notes.get("jec.overlay.upper"), None, "a label is no word of ours");
    let lower = notes["jec.overlay.lower"].as_str().expect("layers");
    assert_eq!(lower.split(':').count(), 2);
}

#[test]
fn another_entrypoint_comes_without_the_words_of_the_images_own() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    let args = |words: &[&str]| {
        let spec = images.jec(&[&["spec"], words].concat()).ok().out;
        serde_json::from_str::<Value>(&spec).expect("JSON")["process"]["args"].clone()
    };
    for (words, expected) in [
        (&["--entrypoint", "/bin/ls", &*word][..], json!(["/bin/ls"])),
        (&["--entrypoint", "/bin/ls", &word, "--", "-l", "/"], json!(["/bin/ls", "-l", "/"])),
        (&["--entrypoint", "", &word, "id"], json!(["id"])),
        (&["--entrypoint=", &word], json!(["/bin/sh"])),
        (&["--init", "--entrypoint", "id", &word], json!(["/dev/init", "init", "--", "id"])),
    ] {
        assert_eq!(args(words), expected, "{words:?}");
    }
    let ran = images.jec(&["run", "--entrypoint", "cat", &word, "was-a-directory", "/etc/passwd"]);
    assert!(ran.code != 0 && ran.out.contains("root:x:0:0"), "{ran:?}");
    let root = images.0.rootfs();
    let refused = ["--entrypoint: only an image has one", "behind TARGET"];
    let words = ["run", "--entrypoint", "id", &*root.to_string_lossy(), "id"];
    images.jec(&words).fails(1, &refused);
    images.jec(&["run", "--entrypoint", "id", "--", "id"]).fails(1, &refused);
    let bundle = images.0.bundle("overlay", common::for_me);
    let words = ["run", "--entrypoint", "id", "-b", &*bundle.to_string_lossy(), "entry"];
    images.jec(&words).fails(1, &["--entrypoint: the container is made from a bundle"]);
}

#[test]
fn other_ids_than_those_of_the_layers_are_refused() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    let refused = ["--userns, --uidmap", "belong to", "leave the flag out"];
    let run = |flags: &[&str]| images.jec(&[&["run"], flags, &[&*word, "id -u"]].concat());
    if common::is_root() {
        run(&["--uidmap", "0:100000:65536"]).fails(1, &refused);
        run(&["--userns", "single"]).fails(1, &refused);
    } else {
        let Ok(Some(maps)) = jec::images::mapped::maps() else { skip!("no ids are lent here") };
        run(&["--userns", "single"]).fails(1, &refused);
        run(&["--uidmap", &format!("0:{}:1000", maps.uids[1].host)]).fails(1, &refused);
        run(&["--userns", "auto"]).ok();
    }
    run(&[]).ok();
}

#[test]
fn an_archive_is_the_same_image_as_the_directory() {
    let images = Images::new();
    let layout = images.made("box");
    let id = |ran: Ran| ran.ok().out.split(' ').next().expect("an id").to_owned();
    let one = id(images.jec(&["image", "import", &images.word("box")]));
    let archive = format!("oci-archive:{}", layout.archive().display());
    assert_eq!(id(images.jec(&["image", "import", &archive])), one);
    let file = images.0.path("saved.tar");
    docker_archive(&file, "example.org/box:1", &[base(), upper()], &config());
    let saved = format!("docker-archive:{}", file.display());
    assert_eq!(id(images.jec(&["image", "import", &saved])), one);
    assert_eq!(images.jec(&["run", "image:example.org/box:1"]).ok().out, "1000\n");
    assert_eq!(images.jec(&["run", &format!("{saved}:example.org/box:1")]).ok().out, "1000\n");
    assert_eq!(images.layers(), 2, "shared layers are stored once");
    let wrong = images.jec(&["run", &format!("{saved}:example.org/box:2")]);
    wrong.fails(1, &["example.org/box:2", "no image of this name", "example.org/box:1"]);
}

/// What can be wrong with an image.
type Spoil = fn(&Layout, &mut Value, &mut Value);

#[test]
fn an_image_that_lies_leaves_nothing_visible() {
    let cases: &[(&str, &[&str], Spoil)] = &[
        ("a layer's bytes", &["its digest is", "damaged, or exchanged"], |layout, manifest, _| {
            let name = manifest["layers"][0]["digest"].as_str().expect("a digest").to_owned();
            let mut bytes = fs::read(layout.path_of(&name)).expect("the layer");
            let at = bytes.len() - 200_000;
            bytes[at] ^= 1;
            fs::write(layout.path_of(&name), bytes).expect("the layer");
        }),
        ("a layer's size", &["cut off"], |_, manifest, _| {
            manifest["layers"][0]["size"] = json!(10_000_000);
        }),
        ("a shorter size", &["is longer than the 1000 bytes"], |_, manifest, _| {
            manifest["layers"][0]["size"] = json!(1000);
        }),
        ("a diffID", &["the layer sha256:", "its digest is"], |_, _, config| {
            config["rootfs"]["diff_ids"][0] = json!(digest(b"other"));
        }),
        (
            "a media type",
            &["its media type says Zstd, its first bytes say No"],
            |_, manifest, _| {
                let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
                manifest["layers"][0]["mediaType"] = json!(zstd);
            },
        ),
        ("an unknown type", &["which jec does not know"], |_, manifest, _| {
            manifest["layers"][0]["mediaType"] = json!("application/x-qemu-disk");
        }),
        ("another algorithm", &["jec knows no other algorithm"], |_, manifest, _| {
            manifest["layers"][0]["digest"] = json!(format!("sha512:{}", "0".repeat(128)));
        }),
        ("a missing layer", &["ENOENT"], |layout, manifest, _| {
            let name = manifest["layers"][0]["digest"].as_str().expect("a digest");
            fs::remove_file(layout.path_of(name)).expect("removed");
        }),
        ("fewer diffIDs", &["2 layers, but 1 diff_ids"], |_, _, config| {
            config["rootfs"]["diff_ids"] = json!([digest(b"")]);
        }),
        ("another machine", &["the image is for linux/s390x"], |_, _, config| {
            config["architecture"] = json!("s390x");
        }),
        ("a huge configuration", &["of 104857600 bytes", "no document"], |layout, manifest, _| {
            let name = digest(b"huge");
            fs::File::create(layout.path_of(&name))
                .and_then(|file| file.set_len(100 << 20))
                .expect("a file");
            manifest["config"] = json!({"mediaType": "x/y", "digest": name, "size": 100 << 20});
        }),
        ("a deep configuration", &["is not the document it should be"], |layout, manifest, _| {
            let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
            manifest["config"] = layout.blob(deep.as_bytes(), "x/y");
        }),
        ("a link for a layer", &["not a regular file"], |layout, manifest, _| {
            let name = manifest["layers"][0]["digest"].as_str().expect("a digest");
            fs::remove_file(layout.path_of(name)).expect("removed");
            std::os::unix::fs::symlink("/blobs", layout.path_of(name)).expect("a link");
        }),
    ];
    let images = Images::new();
    for (at, (what, words, spoil)) in cases.iter().enumerate() {
        let name = format!("box{at}");
        let layout = images.layout(&name);
        let layers = [(base(), Pack::Plain), (upper(), Pack::Gzip)];
        let manifest =
            layout.image(&layers, &config(), |manifest, config| spoil(&layout, manifest, config));
        layout.index(&[manifest]);
        println!("{what}");
        let ran = images.jec(&["run", &images.word(&name), "id"]);
        ran.fails(1, words);
        assert_eq!(images.layers(), 0, "{what}");
        assert!(images.names("images/sha256").is_empty(), "{what}");
        images.no_half_ones();
    }
}

#[test]
fn a_layer_that_would_fill_the_disk_ends_in_an_error() {
    let images = Images::new();
    let layout = images.layout("bomb");
    // A member of 2 GiB, as gzip members of 64 MiB of zeros each.
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").expect("a name");
    header.set_size(2 << 30);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_mode(0o644);
    header.set_cksum();
    let (mut bytes, media) = common::image::packed(header.as_bytes(), Pack::Gzip);
    let (zeros, _) = common::image::packed(&vec![0; 64 << 20], Pack::Gzip);
    (0..33).for_each(|_| bytes.extend_from_slice(&zeros));
    let manifest = layout.image(&[(vec![], Pack::Gzip)], &json!({}), |manifest, _| {
        manifest["layers"] = json!([layout.blob(&bytes, media)]);
    });
    layout.index(&[manifest]);
    images.jec(&["run", &images.word("bomb")]).fails(1, &["bomb"]);
    assert_eq!(images.layers(), 0);
    images.no_half_ones();
}

#[test]
fn the_index_is_searched_for_this_machine_and_for_the_tag() {
    let images = Images::new();
    let layout = images.layout("box");
    let made = |text: &str| {
        let config = json!({"Entrypoint": ["/bin/sh", "-c"], "Cmd": [format!("echo {text}")]});
        layout.image(&[(base(), Pack::Gzip)], &config, |_, _| {})
    };
    let foreign = of_platform(
        layout.image(&[], &json!({}), |_, config| config["architecture"] = json!("s390x")),
        "s390x",
    );
    let nested = json!({"schemaVersion": 2, "manifests": [foreign, of_platform(made("nested"), architecture()),
        {"mediaType": "application/vnd.in-toto+json", "digest": digest(b""), "size": 0}]});
    let nested = layout.document(&nested, INDEX);
    layout.index(&[
        tagged(nested.clone(), "one"),
        tagged(made("two"), "two"),
        tagged(foreign.clone(), "far"),
    ]);
    let run = |tag: &str| images.jec(&["run", &format!("{}{tag}", images.word("box"))]);
    assert_eq!(run(":one").ok().out, "nested\n");
    assert_eq!(run(":two").ok().out, "two\n");
    run(":three").fails(1, &["no image of this tag", "one, two, far"]);
    run(":far").fails(1, &["nothing for linux/", "emulates"]);
    layout.index(&[tagged(made("one"), "one"), tagged(made("two"), "two")]);
    run("").fails(1, &["more than one image", "one, two"]);
    // Deeper than any real image.
    let deep = (0..6).fold(nested, |inner, _| {
        layout.document(&json!({"schemaVersion": 2, "manifests": [inner]}), INDEX)
    });
    layout.index(&[deep]);
    run("").fails(1, &["nested more than"]);
}

#[test]
fn eight_imports_at_once_make_one_image() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    let spawn =
        |_| images.command(&["image", "import", &word]).stdout(Stdio::null()).spawn().expect("jec");
    let all: Vec<Child> = (0..8).map(spawn).collect();
    for mut child in all {
        assert!(child.wait().expect("jec").success());
    }
    assert_eq!((images.layers(), images.names("images/sha256").len()), (2, 1));
    images.no_half_ones();
    assert_eq!(images.jec(&["run", "image:box"]).ok().out, "1000\n");
}

#[test]
fn a_killed_import_leaves_nothing_that_counts_as_whole() {
    let images = Images::new();
    images.made("box");
    let word = images.word("box");
    for step in 0..25 {
        let mut child =
            images.command(&["image", "import", &word]).stdout(Stdio::null()).spawn().expect("jec");
        std::thread::sleep(Duration::from_millis(4 * step));
        child.kill().ok();
        child.wait().expect("jec");
        // What has its name is whole.
        for name in images.names("layers/sha256").iter().filter(|name| name.len() == 64) {
            let whole = ["bin/stat", "was-a-directory"].iter();
            let dir = images.store("layers/sha256").join(name);
            assert!(whole.clone().any(|last| dir.join(last).symlink_metadata().is_ok()), "{name}");
        }
    }
    assert_eq!(images.jec(&["run", &word]).ok().out, "1000\n");
    images.no_half_ones();
    assert_eq!(images.layers(), 2);
    let listed = images.jec(&["image", "rm", "box"]).ok();
    assert!(listed.out.contains("freed"), "{}", listed.out);
    assert_eq!(images.layers(), 0);
}

#[test]
fn an_import_that_is_asked_to_end_leaves_nothing() {
    let images = Images::new();
    let layout = images.layout("box");
    // Layers that take a while: many small files.
    let layer = |at: usize| {
        let names: Vec<_> = (0..3000).map(|file| format!("d{at}/{}/{file}", file / 50)).collect();
        let items: Vec<_> = names.iter().map(|name| (&**name, Item::File(&[7; 600]))).collect();
        (tar(&items), Pack::Gzip)
    };
    let layers: Vec<_> = (0..3).map(layer).collect();
    layout.index(&[layout.image(&layers, &json!({}), |_, _| {})]);
    let mut ended = 0;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let words = ["image", "import", &*images.word("box")];
        let mut command = images.command(&words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("jec");
        let is_partial = |name: &String| name.ends_with(".partial");
        common::until("it has begun, or ended", || {
            images.names("layers/sha256").iter().any(is_partial)
                || child.try_wait().is_ok_and(|ended| ended.is_some())
        });
        let kill = ["-s", signal, &child.id().to_string()];
        Command::new("kill").args(kill).status().expect("kill");
        let status = child.wait().expect("ended");
        ended += usize::from(status.code() == Some(code));
        assert!(status.success() || status.code() == Some(code), "{status}");
        if !status.success() {
            assert_eq!(images.names("layers/sha256"), BTreeSet::new(), "{signal}");
        }
        images.jec(&["image", "rm", "box"]);
    }
    assert!(ended > 0, "both imports were faster than their signals");
    assert_eq!(images.jec(&["image", "import", &images.word("box")]).code, 0);
    assert_eq!(images.layers(), 3);
}

#[test]
fn a_power_cut_finds_layers_on_the_disk_before_they_have_their_names() {
    if !common::has_program("strace") || !common::is_root() {
        skip!("it takes root and strace to see the order of the calls");
    }
    let images = Images::new();
    images.made("box");
    let mut command = Command::new("strace");
    let told = images.0.path("told");
    command
        .args(["-f", "-s", "200", "-e", "trace=renameat,renameat2,syncfs,fsync,pwrite64", "-o"])
        .arg(&told);
    command.arg(common::jec_path()).args(["image", "import", &images.word("box")]);
    command.env("XDG_DATA_HOME", images.0.path("data"));
    Ran::of(command).ok();
    let told = fs::read_to_string(told).expect("the calls");
    let told: Vec<&str> = told.lines().collect();
    let first = |word: &str| told.iter().position(|line| line.contains(word)).expect(word);
    let last = |word: &str| told.iter().rposition(|line| line.contains(word)).expect(word);
    let synced = first("syncfs(");
    assert!(told[synced].ends_with("= 0"), "{told:#?}");
    assert!(last("pwrite64(") < synced && synced < first(".partial\""), "{told:#?}");
    // And the names, before the image that needs them has its own.
    assert!(told[last(".partial\"") + 1].contains("fsync("), "{told:#?}");
    assert!(last(".partial\"") < first("names.json"), "{told:#?}");
}

#[test]
fn a_layer_goes_with_the_last_image_that_has_it() {
    let images = Images::new();
    images.made("box");
    let other = images.layout("other");
    other.index(&[other.image(
        &[(base(), Pack::Plain)],
        &json!({"Cmd": ["/bin/sh", "-c", "echo other"]}),
        |_, _| {},
    )]);
    images.jec(&["image", "import", &images.word("box"), "first"]).ok();
    images.jec(&["image", "import", &images.word("box"), "second:2"]).ok();
    images.jec(&["image", "import", &images.word("other")]).ok();
    assert_eq!(images.layers(), 2);
    images.jec(&["image", "rm", "first"]).ok();
    assert_eq!(images.layers(), 2, "it has another name");
    images.jec(&["image", "rm", "second:2"]).ok();
    assert_eq!(images.layers(), 1, "the other image has the lower one");
    assert_eq!(images.jec(&["run", "image:other"]).ok().out, "other\n");
    images.jec(&["image", "rm", "second:2"]).fails(1, &["no image of this name"]);
    images.jec(&["image", "import", &images.word("other"), "third"]).ok();
    images.jec(&["image", "rm", "other"]).ok();
    assert_eq!(
        images.jec(&["run", "image:third"]).ok().out,
        "other\n",
        "one name, without its tag"
    );
    images.jec(&["image", "rm", "third"]).ok();
    assert_eq!(images.layers(), 0);
    assert!(images.names("images/sha256").is_empty());
}

#[test]
fn an_image_that_a_container_runs_from_stays() {
    let images = Images::new();
    images.made("box");
    let pid_file = images.0.path("pid");
    let words =
        ["run", "--pid-file", &pid_file.to_string_lossy(), &images.word("box"), "exec sleep 1000"];
    let held = images.0.hold_command(images.command(&words));
    images.jec(&["image", "rm", "box"]).fails(1, &["the container", "runs from it"]);
    // Another jec, which keeps its states elsewhere, knows it by the lock.
    let mut elsewhere = Command::new(common::jec_path());
    elsewhere.arg("--root").arg(images.0.path("elsewhere")).args(["image", "rm", "box"]);
    elsewhere.env("XDG_DATA_HOME", images.0.path("data"));
    Ran::of(elsewhere).fails(1, &["a container runs from it"]);
    images.jec(&["image", "prune"]).ok();
    assert_eq!(images.layers(), 2);
    assert!(held.proc("root/was-a-directory").is_empty() || held.pid > 0);
    held.wait_after_kill();
    images.jec(&["image", "rm", "box"]).ok();
    assert_eq!(images.layers(), 0);
}

#[test]
fn a_tree_says_which_layer_has_what() {
    let images = Images::new();
    images.made("box");
    images.jec(&["image", "import", &images.word("box"), "box"]).ok();
    let tree = images.jec(&["image", "tree", "box"]).ok().out;
    for line in [
        "    1  bin/busybox",
        "    2  both/",
        "    2  both/high",
        "    1  both/low",
        "    2  d/  (nothing of below; hides that of 1)",
        "    2  old  (removed; hides that of 1)",
        "    2  was-a-directory  (hides that of 1)",
    ] {
        assert!(tree.lines().any(|found| found == line), "{line}\n{tree}");
    }
    assert!(!tree.contains("d/low") && !tree.contains("inner"), "{tree}");
    let json = images.jec(&["image", "tree", "--json", "box"]).ok().out;
    let json: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json.len(), tree.lines().count());
    let show = images.jec(&["image", "show", "--json", "box"]).ok().out;
    let show: Value = serde_json::from_str(&show).expect("JSON");
    assert_eq!(show["layers"][1]["diffId"], digest(&upper()));
    assert_eq!(show["names"], json!(["box"]));
    let list = images.jec(&["image"]).ok().out;
    assert!(list.lines().nth(1).is_some_and(|line| line.starts_with("box ")), "{list}");
    assert!(images.jec(&["image", "show", "box"]).ok().out.contains("WorkingDir"));
}

#[test]
fn a_hostile_configuration_is_an_error_that_names_the_word() {
    let images = Images::new();
    let layer = tar(&[("etc/passwd", Item::Link("/../../../../../../etc/shadow"))]);
    for (at, (config, words)) in [
        (json!({"User": "nobody:x:y"}), &["User of the image"][..]),
        (json!({"User": "somebody"}), &["has no \"somebody\""]),
        (json!({"Env": ["A=\u{0}"]}), &["Env of the image"]),
        (json!({"WorkingDir": "/a/../../b"}), &["WorkingDir of the image", "no .."]),
        (json!({"Volumes": {"relative": {}}}), &["Volumes of the image"]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("box{at}");
        let layout = images.layout(&name);
        layout.index(&[layout.image(&[(layer.clone(), Pack::Gzip)], &config, |_, _| {})]);
        images.jec(&["run", &images.word(&name), "id"]).fails(1, words);
    }
}

#[test]
fn words_that_name_no_image_say_what_would() {
    let images = Images::new();
    for (word, said) in [
        ("oci:", "oci:DIR[:TAG]"),
        ("oci:/nowhere", "ENOENT"),
        ("oci:/nowhere", "check:  ls -l /nowhere"),
        ("oci:/dev", "no image layout"),
        ("docker-archive:/dev/null", "not a regular file"),
        ("oci-archive:/dev", "not a regular file"),
        ("image:nothing", "no image of this name"),
    ] {
        images.jec(&["run", word]).fails(1, &[said]);
    }
    // What is no archive is quoted in its error, but not line by line.
    let text = images.jec(&["run", "docker-archive:/etc/passwd"]);
    assert_eq!(
        text.err.lines().last(),
        text.err.lines().find(|line| line.contains("no whole tar"))
    );
    let gz = images.0.path("x.tar.gz");
    fs::write(&gz, common::image::packed(&tar(&[]), Pack::Gzip).0).expect("a file");
    images.jec(&["run", &format!("oci-archive:{}", gz.display())]).fails(1, &["gunzip"]);
    // A store that others may write to is not ours.
    fs::set_permissions(images.store(""), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("mode");
    images.jec(&["image"]).fails(1, &["somebody else could write into it"]);
}

#[test]
fn real_tools_write_images_that_run() {
    for tool in ["umoci", "skopeo"] {
        if !common::has_program(tool) {
            skip!("{tool} is not installed");
        }
    }
    let images = Images::new();
    let layout = images.layout("box");
    let config = json!({"Entrypoint": ["/bin/sh", "-c"]});
    let made = layout.image(&[(base(), Pack::Gzip)], &config, |_, _| {});
    layout.index(&[tagged(made, "old")]);
    let script = format!(
        "cd {} && umoci unpack --rootless --image box:old bundle && \
         echo umoci > bundle/rootfs/umoci && rm bundle/rootfs/old && \
         umoci repack --image box:new bundle && \
         skopeo copy oci:box:new docker-archive:skopeo.tar:box:new && \
         skopeo copy oci:box:new oci-archive:layout.tar:new && \
         skopeo copy --dest-compress-format zstd oci:box:new oci:zstd:new",
        images.0.dir.path().display()
    );
    common::shell(&script).ok();
    let word = format!("{}:new", images.word("box"));
    let saved = format!("docker-archive:{}", images.0.path("skopeo.tar").display());
    let archive = format!("oci-archive:{}", images.0.path("layout.tar").display());
    for word in [word, saved, archive, images.word("zstd")] {
        let ran = images.jec(&["run", &word, "cat /umoci; ls /old"]);
        assert!(ran.out == "umoci\n" && ran.err.contains("/old: No such"), "{word}: {ran:?}");
    }
}

/// Runs a line in a container whose changes are kept, under this id.
fn change(images: &Images, id: &str, before: &[&str], line: &str) {
    let keep = format!("--keep={}", images.0.path(id).display());
    let words = [&["run", "--name", id, &keep][..], before, &[line]].concat();
    images.jec(&words).ok();
}

#[test]
fn what_a_container_changed_becomes_an_image_that_runs() {
    let images = Images::new();
    images.made("box");
    let line = "echo new >/new; rm /d/high; chown 1000:7 /both/high; chmod 4755 /both/high; \
        ln -s new /link; sleep 1; for f in /new /d /both /both/high /work /; do touch -d @2000 $f; done; \
        touch -h -d @2000 /link";
    let mut ids = Vec::new();
    for at in ["one", "two"] {
        let id = images.0.id(at);
        change(&images, &id, &["-u", "0", &images.word("box")], line);
        ids.push(images.jec(&["image", "commit", &id, "mine:1"]).ok().out);
        let file = images.0.path(&format!("{at}.tar"));
        let words = ["image", "commit", &id, "--layer", &file.to_string_lossy()];
        let digest = images.jec(&words).ok().out;
        let show = images.jec(&["image", "show", "--json", "mine:1"]).ok().out;
        let show: Value = serde_json::from_str(&show).expect("JSON");
        assert_eq!(show["layers"][2]["diffId"], digest.trim(), "the file has the same layer");
        assert_eq!(show["config"]["rootfs"]["diff_ids"][2], digest.trim());
        assert_eq!(show["config"]["history"][2]["created_by"], "jec image commit");
        assert_eq!(show["config"]["config"]["WorkingDir"], "/work");
        images.jec(&["delete", &id]).ok();
    }
    assert_eq!(ids[0], ids[1], "the same changes are the same image");
    assert_eq!(images.layers(), 3, "those below are shared");
    let script = "cat /link; ls /d | wc -l; stat -c '%u:%g %a' /both/high";
    assert_eq!(images.jec(&["run", "image:mine:1", script]).ok().out, "new\n0\n1000:7 4755\n");
    images.jec(&["run", "image:box", "cat /new || echo none"]).ok();
    let tree = images.jec(&["image", "tree", "mine:1"]).ok().out;
    assert!(tree.contains("    3  d/high  (removed; hides that of 2)"), "{tree}");
    // One more layer on top of that.
    let id = images.0.id("three");
    change(&images, &id, &["-u", "0", "image:mine:1"], "echo again >>/new");
    images.jec(&["image", "commit", &id, "mine:2"]).ok();
    assert_eq!(images.jec(&["run", "image:mine:2", "cat /new"]).ok().out, "new\nagain\n");
    images.jec(&["image", "rm", "mine:2"]).fails(1, &["runs from it"]);
    images.jec(&["delete", &id]).ok();
    images.jec(&["image", "rm", "mine:2"]).ok();
    images.no_half_ones();
    forget(&images);
}

/// What belongs to ids that are only lent is removed by their root.
fn forget(images: &Images) {
    if !common::is_root() {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--map-auto", "rm", "-rf"]);
        command.arg(images.0.path("data"));
        for entry in fs::read_dir(images.0.dir.path()).into_iter().flatten().flatten() {
            command.arg(entry.path());
        }
        command.status().ok();
    }
}

#[test]
fn a_plain_root_becomes_the_first_layer_of_an_image() {
    let images = Images::new();
    let root = images.0.rootfs();
    let root = root.to_string_lossy();
    let maps: &[&[&str]] =
        if common::is_root() { &[&[], &["--uidmap", "0:100000:65536"]] } else { &[&[]] };
    for flags in maps {
        if !flags.is_empty() && !common::has_user_attributes_in_memory() {
            println!("SKIPPED: no user namespace with an overlay here");
            continue;
        }
        if !flags.is_empty() {
            for path in ["", "etc", "etc/hosts"] {
                let path = images.0.path("rootfs").join(path);
                std::os::unix::fs::chown(path, Some(100_000), Some(100_000)).expect("given");
            }
        }
        let id = images.0.id("plain");
        let before = [*flags, &["--overlay", &*root, "sh", "-c"][..]].concat();
        change(&images, &id, &before, "mkdir /mine; chown 5:6 /mine; rm /etc/hosts");
        images.jec(&["image", "commit", &id, "bad name"]).fails(1, &["the name of an image"]);
        images.jec(&["image", "commit", &id, "plain"]).ok();
        let script = "stat -c %u:%g /mine /etc; cat /etc/hosts || echo gone";
        let ran = images.jec(&["run", "image:plain", "sh", "-c", script]).ok();
        assert_eq!(ran.out, "5:6\n0:0\ngone\n", "{flags:?}: the ids that the container sees");
        let show = images.jec(&["image", "show", "--json", "plain"]).ok().out;
        let show: Value = serde_json::from_str(&show).expect("JSON");
        assert_eq!(show["layers"].as_array().map(Vec::len), Some(2));
        images.jec(&["delete", &id]).ok();
        images.jec(&["image", "rm", "plain"]).ok();
        fs::rename(images.0.path(&id), images.0.path("before")).ok();
    }
    images.jec(&["image", "commit", "nobody"]).fails(2, &["NAME"]);
    forget(&images);
}

#[test]
fn attributes_of_changed_files_are_in_the_layer_and_those_of_overlayfs_are_not() {
    if !common::has_program("setfattr") || !common::has_program("setcap") {
        skip!("setfattr and setcap are not installed");
    }
    let images = Images::new();
    images.made("box");
    let (id, file) = (images.0.id("xattr"), images.0.path("layer.tar"));
    let (kept, file) = (images.0.path(&id), file.to_string_lossy());
    // In the upper directory, where the container's would be; of a file that is otherwise as before.
    change(
        &images,
        &id,
        &["-u", "0", &images.word("box")],
        "mv /d /e; mkdir /d; chmod 755 /was-a-directory",
    );
    let line = format!(
        "cd {}/upper && setfattr -n user.mine -v x was-a-directory && \
         setfattr -n user.overlay.jec -v y was-a-directory && \
         setfattr -n user.nl -v 0x0a00ff was-a-directory && setcap cap_net_raw+ep was-a-directory",
        kept.display()
    );
    let mut command = Command::new("unshare");
    if !common::is_root() {
        command.args(["--user", "--map-root-user", "--map-auto"]);
    }
    assert!(command.args(["sh", "-c", &line]).status().expect("unshare").success());
    assert!(images.jec(&["image", "diff", &id]).ok().out.contains("C /was-a-directory"));
    images.jec(&["image", "commit", &id, "--layer", &file]).ok();
    let bytes = fs::read(&*file).expect("the layer");
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(has(b"SCHILY.xattr.user.mine=x\n") && has(b"SCHILY.xattr.user.nl=\n\0\xff\n"));
    // Revision 2, without a root of somebody's namespace: 20 bytes.
    assert!(has(b"57 SCHILY.xattr.security.capability=\x01\0\0\x02\0\x20"));
    assert!(!has(b"overlay"), "what overlayfs notes for itself");
    images.jec(&["image", "commit", &id, "mine"]).ok();
    images.jec(&["delete", &id]).ok();
    // The same layer comes out again where its attributes were unpacked.
    let again = images.0.id("again");
    change(&images, &again, &["-u", "0", "image:mine"], "chmod 700 /was-a-directory");
    let diff = images.jec(&["image", "diff", &again]).ok().out;
    assert!(diff.contains("C /was-a-directory"), "{diff}");
    let (file, words) = (images.0.path("again.tar"), ["image", "commit", &again, "--layer"]);
    images.jec(&[&words[..], &[&*file.to_string_lossy()]].concat()).ok();
    let bytes = fs::read(&file).expect("the layer");
    let capability = b"SCHILY.xattr.security.capability=\x01\0\0\x02";
    assert!(bytes.windows(capability.len()).any(|window| window == capability));
    images.jec(&["delete", &again]).ok();
    forget(&images);
}
