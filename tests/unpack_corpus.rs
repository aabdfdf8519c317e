//! Archives that have to come out exact, and archives that must not touch anything outside.
//!
//! The oracle of the first is a listing; another reader's list of members is held against it. The
//! oracle of the second is a tree beside the target: every inode of it, with all times, is what it was.

#[allow(dead_code)]
#[path = "common/tarball.rs"]
mod tarball;
#[allow(dead_code)]
#[path = "common/tree.rs"]
mod tree;

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{World, is_root};
use tarball::{GNU, Head, Tar, head, pax, seal, tar};
use tree::{attribute, fingerprint, listing};

/// Name, what it is made of, and what comes out of it.
type Legal = (&'static str, fn(&mut Tar), &'static [&'static str]);

fn long(length: usize) -> String {
    "long/".repeat(length / 5)
}

#[rustfmt::skip]
const LEGAL: &[Legal] = &[
    ("one file", |t| { t.file("a", "x"); }, &["f 644 1000 a x"]),
    ("nothing at all", |_| {}, &[]),
    ("an empty file", |t| { t.file("a", ""); }, &["f 644 1000 a"]),
    ("names that begin with ./", |t| { t.dir("./").dir("./d/").file("./d/a", "x"); }, &["d 755 1000 d", "f 644 1000 d/a x"]),
    ("absolute names", |t| { t.dir("/d/").file("/d/a", "x"); }, &["d 755 1000 d", "f 644 1000 d/a x"]),
    ("absolute links", |t| { t.dir("etc").file("etc/a", "x").link("b", "/etc/a"); }, &["d 755 1000 etc", "f 644 1000 etc/a x", "l 1000 b /etc/a"]),
    ("hard links to absolute names", |t| { t.dir("d").file("d/a", "x").hard("b", "/d/a"); }, &["f 644 1000 b x", "d 755 1000 d", "= d/a b"]),
    ("a hard link to a link", |t| { t.link("a", "nowhere").hard("b", "a"); }, &["l 1000 a nowhere", "= b a"]),
    ("a hard link to itself", |t| { t.file("a", "x").hard("a", "./a"); }, &["f 644 1000 a x"]),
    ("missing parents", |t| { t.file("a/b/c", "x"); }, &["d 755 now a", "d 755 now a/b", "f 644 1000 a/b/c x"]),
    ("missing parents below one that has a time", |t| { t.dir("a").file("a/b/c", "x"); }, &["d 755 1000 a", "d 755 now a/b", "f 644 1000 a/b/c x"]),
    ("a merged /usr", |t| { t.dir("usr").dir("usr/bin").link("bin", "usr/bin").file("bin/sh", "x"); }, &["l 1000 bin usr/bin", "d 755 1000 usr", "d 755 1000 usr/bin", "f 644 1000 usr/bin/sh x"]),
    ("a merged /usr with an absolute link", |t| { t.link("lib", "/usr/lib").dir("usr").dir("usr/lib").file("lib/a", "x"); }, &["l 1000 lib /usr/lib", "d 755 1000 usr", "d 755 1000 usr/lib", "f 644 1000 usr/lib/a x"]),
    ("a link that leads nowhere yet", |t| { t.dir("var").link("var/run", "/run").file("var/run/pid", "1").dir("run"); }, &["d 755 1000 run", "f 644 1000 run/pid 1", "d 755 1000 var", "l 1000 var/run /run"]),
    ("a relative link that leads nowhere yet", |t| { t.dir("var").link("var/run", "../run/x").file("var/run/pid", "1"); }, &["d 755 now run", "d 755 now run/x", "f 644 1000 run/x/pid 1", "d 755 1000 var", "l 1000 var/run ../run/x"]),
    ("links above the root stay in it", |t| { t.dir("d").link("up", "../../../d").file("up/a", "x"); }, &["d 755 1000 d", "f 644 1000 d/a x", "l 1000 up ../../../d"]),
    ("a directory becomes a link and back", |t| { t.dir("d").file("d/a", "x").dir("e").link("d", "e").file("d/b", "y").dir("d").file("d/c", "z"); }, &["d 755 1000 d", "f 644 1000 d/c z", "d 755 1000 e", "f 644 1000 e/b y"]),
    ("a file becomes a directory and back", |t| { t.file("a", "x").dir("a").file("a/b", "y").file("a", "z"); }, &["f 644 1000 a z"]),
    ("a file comes twice, its other name stays", |t| { t.file("a", "old").hard("b", "a").file("a", "new"); }, &["f 644 1000 a new", "f 644 1000 b old"]),
    ("a link is replaced, not written through", |t| { t.file("a", "x").link("b", "a").file("b", "y"); }, &["f 644 1000 a x", "f 644 1000 b y"]),
    ("a directory comes twice and keeps what it has", |t| { t.dir("d").file("d/a", "x").head(&Head { mode: 0o700, time: 5, ..head(b'5', "d") }); }, &["d 700 5 d", "f 644 1000 d/a x"]),
    ("set-id and sticky bits", |t| { for (name, mode) in [("a", 0o4755), ("b", 0o2711), ("c", 0o6700), ("d", 0o1644)] { t.with(Head { mode, ..head(b'0', name) }, b"x"); } t.head(&Head { mode: 0o1777, ..head(b'5', "tmp") }); }, &["f 4755 1000 a x", "f 2711 1000 b x", "f 6700 1000 c x", "f 1644 1000 d x", "d 1777 1000 tmp"]),
    ("modes that shut out their owner", |t| { t.head(&Head { mode: 0o555, ..head(b'5', "d") }).with(Head { mode: 0o400, ..head(b'0', "d/a") }, b"x").dir("d/e").file("d/e/f", "y"); }, &["d 555 1000 d", "f 400 1000 d/a x", "d 755 1000 d/e", "f 644 1000 d/e/f y"]),
    ("a fifo", |t| { t.head(&Head { mode: 0o622, ..head(b'6', "p") }); }, &["p 622 1000 p"]),
    ("times with fractions and before 1970", |t| { t.pax(&[("mtime", b"12.5")]).file("a", "x").pax(&[("mtime", b"-1.25")]).file("b", "y"); }, &["f 644 12+500000000 a x", "f 644 -2+750000000 b y"]),
    ("long names of pax", |t| { t.pax(&[("path", long(300).as_bytes()), ("comment", b"x")]).dir("short"); }, &["LONG"]),
    ("long names of GNU", |t| { t.long(b'L', &long(300)).head(&Head { magic: GNU, ..head(b'5', "short") }); }, &["LONG"]),
    ("names with a prefix", |t| { let mut block = head(b'0', "name").block(); block[345..351].copy_from_slice(b"prefix"); seal(&mut block); t.0.extend(block); }, &["d 755 now prefix", "f 644 1000 prefix/name"]),
    ("long links of both kinds", |t| { t.long(b'K', &long(150)).head(&Head { magic: GNU, ..head(b'2', "a") }).pax(&[("linkpath", b"to")]).link("b", "short"); }, &["l 1000 a LONG150", "l 1000 b to"]),
    ("newlines, spaces and bytes that are no UTF-8", |t| { t.file("a\nb", "x").file("c d\te", "y").file(b"f\xff\xfe", "z").pax(&[("path", b"g\nh")]).file("i", ""); }, &["f 644 1000 a\\nb x", "f 644 1000 c d\\te y", "f 644 1000 f\\xff\\xfe z", "f 644 1000 g\\nh"]),
    ("old archives tell directories by a slash", |t| { t.head(&Head { magic: [0; 8], mode: 0o755, ..head(0, "d/") }).head(&Head { magic: [0; 8], ..head(0, "d/a") }); }, &["d 755 1000 d", "f 644 1000 d/a"]),
    ("a remark for all", |t| { t.with(head(b'g', "x"), &pax(&[("comment", b"0123456789abcdef")])).file("a", "x"); }, &["f 644 1000 a x"]),
    ("a size of pax", |t| { t.pax(&[("size", b"3")]).head(&head(b'0', "a")).content(b"abc").file("b", "y"); }, &["f 644 1000 a abc", "f 644 1000 b y"]),
    ("files with holes, old", |t| { sparse_old(t); }, &["f 644 1000 s 100000 bytes with holes"]),
    ("files with holes, 0.1", |t| { t.pax(&[("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"100000"), ("GNU.sparse.map", b"0,3,99998,2")]).file("x/s", "abcde"); }, &["f 644 1000 s 100000 bytes with holes"]),
    ("files with holes, 1.0", |t| { let mut map = b"2\n0\n3\n99998\n2\n".to_vec(); map.resize(512, 0); map.extend(b"abcde"); t.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", b"s"), ("GNU.sparse.realsize", b"100000")]).with(head(b'0', "x/s"), &map); }, &["f 644 1000 s 100000 bytes with holes"]),
    ("a file that is one hole", |t| { t.pax(&[("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"70000"), ("GNU.sparse.map", b"70000,0")]).file("x", ""); }, &["HOLE"]),
    ("whiteouts are files like others", |t| { t.dir("d").file("d/.wh.a", "").file("d/.wh..wh..opq", ""); }, &["d 755 1000 d", "f 644 1000 d/.wh..wh..opq", "f 644 1000 d/.wh.a"]),
    ("a type for speed, and a second end", |t| { t.with(head(b'7', "a"), b"x"); t.0.extend([0; 512 * 20]); }, &["f 644 1000 a x"]),
];

fn sparse_old(t: &mut Tar) {
    let mut block = Head { magic: GNU, size: 5, ..head(b'S', "s") }.block();
    let mut number = |at: usize, number: u64| {
        block[at..at + 12].copy_from_slice(format!("{number:011o}\0").as_bytes());
    };
    for (at, value) in [(386, 0), (398, 3), (410, 99998), (422, 2), (483, 100_000)] {
        number(at, value);
    }
    seal(&mut block);
    t.0.extend(block);
    t.content(b"abcde");
}

fn expected(lines: &[&str]) -> Vec<String> {
    let deep = long(300);
    let names = deep.match_indices('/').map(|(at, _)| &deep[..at]);
    let mut lines: Vec<String> = match lines {
        ["LONG"] => {
            let last = names.clone().next_back();
            names
                .map(|name| {
                    format!("d 755 {} {name}", if Some(name) == last { "1000" } else { "now" })
                })
                .collect()
        }
        ["HOLE"] => vec![],
        lines => lines.iter().map(|line| line.replace("LONG150", &long(150))).collect(),
    };
    lines.sort();
    lines
}

/// The target, which has to come out of it.
fn unpacked(world: &World, archive: &[u8]) -> std::path::PathBuf {
    let (file, target) = (world.path("a.tar"), world.path("target"));
    drop(fs::remove_dir_all(&target));
    fs::write(&file, archive).expect("written");
    let ran = world.tell(&["unpack", &file.to_string_lossy(), &target.to_string_lossy()]);
    ran.ok();
    target
}

#[test]
fn legal_archives_come_out_exact() {
    assert!(LEGAL.len() >= 30);
    for (name, fill, lines) in LEGAL {
        let world = World::new();
        let target = unpacked(&world, &tar(fill));
        let mut found = listing(&target, false);
        if *lines == ["HOLE"] {
            // Some file systems have no holes; the length is what counts.
            assert_eq!(fs::metadata(target.join("s")).expect("s").len(), 70_000);
            found.clear();
        }
        let holes =
            |lines: Vec<String>| lines.into_iter().map(|line| line.replace(" with holes", ""));
        let mut found: Vec<_> = holes(found).collect();
        found.sort();
        assert_eq!(found, holes(expected(lines)).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn what_is_between_holes_lies_where_it_has_to() {
    for (name, fill, lines) in LEGAL {
        if lines[..].first().is_some_and(|line| line.contains("with holes")) {
            let world = World::new();
            let content = fs::read(unpacked(&world, &tar(fill)).join("s")).expect("s");
            assert_eq!((&content[..3], &content[99998..]), (&b"abc"[..], &b"de"[..]), "{name}");
            assert!(content[3..99998].iter().all(|byte| *byte == 0), "{name}");
        }
    }
}

#[test]
fn root_makes_owners_devices_and_capabilities() {
    if !is_root() {
        skip!("needs root");
    }
    let world = World::new();
    // Version 2, CAP_NET_RAW, with a newline among the bytes.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0];
    let target = unpacked(
        &world,
        &tar(|t| {
            t.with(Head { owner: (7, 9), mode: 0o4755, ..head(b'0', "a") }, b"x");
            t.head(&Head { owner: (4_000_000_000, 1000), ..head(b'5', "d") });
            t.head(&Head { owner: (5, 6), link: b"a".to_vec(), ..head(b'2', "l") });
            t.head(&Head { device: (1, 3), mode: 0o666, ..head(b'3', "null") });
            t.head(&Head { device: (7, 200), mode: 0o660, owner: (0, 6), ..head(b'4', "loop") });
            t.pax(&[("uid", b"123456789"), ("gid", b"3")]).file("b", "y");
            t.pax(&[
                ("SCHILY.xattr.security.capability", &capability),
                ("SCHILY.xattr.user.x", b"1=\n2"),
            ]);
            t.file("ping", "z");
        }),
    );
    let expected = [
        "f 4755 7:9 1000 a x",
        "f 644 123456789:3 1000 b y",
        "d 755 4000000000:1000 1000 d",
        "l 5:6 1000 l a",
        "b 660 0:6 1000 loop 7:200",
        "c 666 0:0 1000 null 1:3",
        "f 644 0:0 1000 ping z",
    ];
    assert_eq!(listing(&target, true), expected);
    let found = attribute(&target.join("ping"), "security.capability");
    // The kernel's answer has the numbers of its own version.
    assert_eq!(found.map(|bytes| bytes[4..].to_vec()), Some(capability[4..].to_vec()));
    let user = attribute(&target.join("ping"), "user.x");
    assert!(user.is_none_or(|value| value == b"1=\n2"), "where the file system has them");
}

/// Name, what it is made of; the words of the refusal, or what comes out.
type Hostile = (&'static str, fn(&mut Tar, &str), Result<&'static [&'static str], &'static str>);

#[rustfmt::skip]
const HOSTILE: &[Hostile] = &[
    ("..", |t, _| { t.file("../victim/file", "bad"); }, Err("..")),
    (".. in the middle", |t, _| { t.dir("d").file("d/../../victim/file", "bad"); }, Err("..")),
    (".. alone", |t, _| { t.head(&Head { mode: 0o777, ..head(b'5', "..") }); }, Err("..")),
    (".. in a long name of GNU", |t, _| { t.long(b'L', "../victim/file").file("x", "bad"); }, Err("..")),
    (".. in a name of pax", |t, _| { t.pax(&[("path", b"../victim/file")]).file("x", "bad"); }, Err("..")),
    (".. in the name of a sparse file", |t, _| { t.pax(&[("GNU.sparse.name", b"../victim/file"), ("GNU.sparse.size", b"3"), ("GNU.sparse.map", b"0,3")]).file("x", "bad"); }, Err("..")),
    (".. behind the prefix", |t, _| { let mut block = head(b'0', "victim/file").block(); block[345..347].copy_from_slice(b".."); seal(&mut block); t.0.extend(block); }, Err("..")),
    ("an absolute name", |t, v| { t.pax(&[("path", format!("{v}/file").as_bytes())]).file("x", "bad"); }, Ok(&["VICTIM"])),
    ("a link out, and through it", |t, v| { t.link("out", v).file("out/file", "bad").file("out/new", "bad"); }, Ok(&["VICTIM"])),
    ("a relative link out, and through it", |t, _| { t.link("out", "../victim").file("out/file", "bad"); }, Ok(&["d 755 now victim", "f 644 1000 victim/file bad", "l 1000 out ../victim"])),
    ("two links out, one in the other", |t, _| { t.dir("a").link("a/up", "..").link("b", "a/up/..").file("b/victim/file", "bad"); }, Ok(&["d 755 1000 a", "l 1000 a/up ..", "l 1000 b a/up/..", "d 755 now victim", "f 644 1000 victim/file bad"])),
    ("a link out, replaced by a file", |t, v| { t.link("out", format!("{v}/file")).file("out", "x"); }, Ok(&["f 644 1000 out x"])),
    ("a link out, then a directory of that name", |t, v| { t.link("out", v).dir("out").file("out/file", "bad"); }, Ok(&["d 755 1000 out", "f 644 1000 out/file bad"])),
    ("a link out, and its owner and mode", |t, v| { t.head(&Head { mode: 0o4777, owner: (7, 7), link: format!("{v}/file").into_bytes(), ..head(b'2', "out") }); }, Ok(&["l 1000 out OUT"])),
    ("a directory, a link out in its place, a file", |t, v| { t.dir("d").file("d/a", "x").link("d", v).file("d/file", "bad"); }, Ok(&["VICTIM"])),
    ("a link and a directory by turns", |t, v| { for _ in 0..20 { t.link("d", v).dir("d").file("d/file", "bad"); } }, Ok(&["d 755 1000 d", "f 644 1000 d/file bad"])),
    ("a hard link out", |t, v| { t.hard("h", format!("{v}/file")).file("h", "bad"); }, Err("hard link to")),
    ("a hard link out through a link", |t, v| { t.link("out", v).hard("h", "out/file"); }, Err("hard link to")),
    ("a hard link with ..", |t, _| { t.hard("h", "../victim/file"); }, Err("..")),
    ("a hard link to a link out, written to", |t, v| { t.link("out", format!("{v}/file")).hard("h", "out").file("h", "bad"); }, Ok(&["f 644 1000 h bad", "l 1000 out OUT"])),
    ("links in a circle", |t, _| { t.link("a", "b").link("b", "a").file("a/c", "bad"); }, Err("ELOOP")),
    ("a chain of links", |t, _| { for at in 0..60 { t.link(format!("l{at}"), format!("l{}", at + 1)); } t.file("l0/a", "bad"); }, Err("ELOOP")),
    ("magic links of /proc", |t, _| { t.dir("proc").dir("proc/self").link("proc/self/cwd", "/").link("out", "/proc/self/cwd").file("out/a", "x"); }, Ok(&["f 644 1000 a x", "l 1000 out /proc/self/cwd", "d 755 1000 proc", "d 755 1000 proc/self", "l 1000 proc/self/cwd /"])),
    ("a NUL in a name of pax", |t, _| { t.pax(&[("path", b"a\0b")]).file("x", "bad"); }, Err("NUL")),
    ("a NUL in a link of pax", |t, _| { t.pax(&[("linkpath", b"a\0b")]).link("x", "y"); }, Err("NUL")),
    ("a size of pax that hides a member in content", |t, _| { let inner = tar(|t| { t.link("out", "../victim"); }); t.pax(&[("size", format!("{}", inner.len()).as_bytes())]).head(&head(b'0', "a")).content(&inner).file("b", "y"); }, Ok(&["f 644 1000 a 1536 bytes", "f 644 1000 b y"])),
    ("a header's size beside another of pax", |t, _| { t.pax(&[("size", b"1536")]).head(&Head { size: 512, ..head(b'0', "a") }).content(&[1; 1536]).file("b", "y"); }, Ok(&["f 644 1000 a 1536 bytes", "f 644 1000 b y"])),
    ("a size for a directory", |t, _| { t.with(head(b'5', "d"), &tar(|t| { t.link("x", "y"); })); }, Err("has 1536 bytes")),
    ("a size for a link", |t, _| { t.with(Head { link: b"a".to_vec(), ..head(b'2', "l") }, &[0; 512]); }, Err("has 512 bytes")),
    ("a size beyond the end", |t, _| { t.head(&Head { size: 1 << 30, ..head(b'0', "a") }); }, Err("ends in the middle")),
    ("a size that overflows", |t, _| { t.pax(&[("size", b"18446744073709551615")]).head(&head(b'0', "a")); }, Err("bytes that it may have")),
    ("a size that is negative", |t, _| { t.pax(&[("size", b"-1")]).file("a", ""); }, Err("valid values")),
    ("two names for one member", |t, _| { t.long(b'L', "a").pax(&[("path", b"b")]).file("c", "x"); }, Err("one name of GNU's kind")),
    ("two extended headers for one member", |t, _| { t.pax(&[("path", b"a")]).pax(&[("path", b"b")]).file("c", "x"); }, Err("two extended headers")),
    ("an extended header for nobody", |t, _| { t.pax(&[("path", b"a")]); }, Err("no member")),
    ("a name for everybody", |t, _| { t.with(head(b'g', "x"), &pax(&[("path", b"a")])).file("b", "x"); }, Err("global header")),
    ("an extended header of a gigabyte", |t, _| { t.head(&Head { size: 1 << 30, ..head(b'x', "x") }); }, Err("longer than 1 MiB")),
    ("records that count wrongly", |t, _| { t.with(head(b'x', "x"), b"99 path=a\n").file("a", "x"); }, Err("records")),
    ("ids that wrap around to root", |t, _| { t.with(Head { owner: (1 << 32, 0), ..head(b'0', "a") }, b"x"); }, Err("4294967294")),
    ("the id that means none", |t, _| { t.pax(&[("gid", b"4294967295")]).file("a", "x"); }, Err("4294967294")),
    ("a wrong checksum", |t, _| { t.file("a", "x"); t.0[0] ^= 1; }, Err("checksum")),
    ("a type that nobody knows", |t, _| { t.head(&head(b'Z', "a")); }, Err("type \"Z\"")),
    ("no directory but a file", |t, _| { t.file("a", "x").file("a/b", "y"); }, Err("ENOTDIR")),
    ("a sparse file of eight exabytes", |t, _| { t.pax(&[("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"9223372036854775807"), ("GNU.sparse.map", b"")]).file("x", ""); }, Err("bytes that it may have")),
    ("sparse parts that overlap", |t, _| { t.pax(&[("GNU.sparse.size", b"10"), ("GNU.sparse.map", b"0,5,3,2")]).file("x", "abcdefg"); }, Err("does not fit")),
    ("sparse parts that overflow", |t, _| { t.pax(&[("GNU.sparse.size", b"10"), ("GNU.sparse.map", b"18446744073709551615,3")]).file("x", "abc"); }, Err("does not fit")),
    ("a sparse map without end", |t, _| { t.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"1")]).with(head(b'0', "x"), &b"1\n".repeat(256)); }, Err("sparse")),
    ("a sparse map of more parts than there are", |t, _| { t.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"1")]).with(head(b'0', "x"), &[&b"9999999999\n"[..], &[0; 501]].concat()); }, Err("parts")),
    ("nested a thousand deep", |t, _| { t.pax(&[("path", "a/".repeat(1000).as_bytes())]).dir("x"); }, Err("256 directories deep")),
    ("a name of five thousand bytes", |t, _| { t.pax(&[("path", [&b"a/"[..], &[b'b'; 5000]].concat().as_slice())]).file("x", ""); }, Err("longer than 4095")),
    ("a part of a name of 300 bytes", |t, _| { t.pax(&[("path", &[b'b'; 300])]).file("x", ""); }, Err("ENAMETOOLONG")),
    ("a link that leads nowhere", |t, _| { t.link("a", ""); }, Err("leads nowhere")),
    ("the target itself as a link", |t, v| { t.link("./", v).file("file", "bad"); }, Err("no directory")),
    ("attributes that speak to overlayfs and to labels", |t, _| { t.dir("d").pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/victim"), ("SCHILY.xattr.user.overlay.opaque", b"y"), ("SCHILY.xattr.security.selinux", b"x")]).file("d/a", "x"); }, Ok(&["d 755 1000 d", "f 644 1000 d/a x"])),
    ("a whiteout with ..", |t, _| { t.file(".wh...", "").file(".wh.", ""); }, Ok(&["f 644 1000 .wh.", "f 644 1000 .wh..."])),
    ("a fifo where a file is written", |t, _| { t.head(&head(b'6', "p")).file("p", "x"); }, Ok(&["f 644 1000 p x"])),
    ("no archive but text", |t, _| { t.0.extend(b"#!/bin/sh\necho bad\n".repeat(100)); }, Err("checksum")),
];

#[test]
fn hostile_archives_change_nothing_outside() {
    assert!(HOSTILE.len() >= 30);
    for (name, fill, outcome) in HOSTILE {
        let world = World::new();
        let (victim, target) = (world.path("victim"), world.path("target"));
        fs::create_dir_all(victim.join("dir")).expect("made");
        fs::write(victim.join("file"), "secret").expect("written");
        std::os::unix::fs::symlink("file", victim.join("link")).expect("a link");
        let before = fingerprint(&victim);
        let at = victim.to_string_lossy().into_owned();
        let file = world.path("a.tar");
        fs::write(&file, tar(|t| fill(t, &at))).expect("written");
        let ran = world.tell(&["unpack", &file.to_string_lossy(), &target.to_string_lossy()]);
        match outcome {
            Err(words) => {
                println!("{name}:\n{}", ran.err);
                ran.fails(1, &[words, "a.tar"]);
                assert!(!target.exists(), "{name}");
            }
            Ok(lines) => {
                ran.ok();
                let found = listing(&target, false);
                if *lines == ["VICTIM"] {
                    let inside = target.join(at.trim_start_matches('/')).join("file");
                    assert_eq!(fs::read_to_string(inside).expect("inside"), "bad", "{name}");
                } else {
                    let out = format!("{at}/file");
                    let mut lines: Vec<_> =
                        lines.iter().map(|line| line.replace("OUT", &out)).collect();
                    let mut found = found;
                    lines.sort();
                    found.sort();
                    assert_eq!(found, lines, "{name}");
                }
            }
        }
        assert_eq!(fingerprint(&victim), before, "{name}");
        let partial = world.path("target.jec-partial");
        assert!(!partial.exists(), "{name}");
    }
}

/// What python3's tarfile says of an archive: kind, mode, size, time, name, a line for each member.
const PYTHON: &str = "
import sys, tarfile
with tarfile.open(sys.argv[1], errors='surrogateescape') as archive:
    for member in archive:
        kind = {b'0': 'f', b'\\0': 'f', b'7': 'f', b'S': 'f', b'5': 'd', b'2': 'l', b'1': 'h', b'6': 'p'}[member.type]
        line = f'{kind} {member.mode:o} {member.size} {member.name}\\0'
        sys.stdout.buffer.write(line.encode(errors='surrogateescape'))
";

#[test]
fn another_reader_finds_the_same_members() {
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !python.is_ok_and(|status| status.success()) {
        skip!("needs python3");
    }
    for (name, fill, _) in LEGAL {
        let world = World::new();
        let target = unpacked(&world, &tar(fill));
        let said = Command::new("python3").args(["-c", PYTHON]).arg(world.path("a.tar")).output();
        let said = said.expect("python3");
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        let members: Vec<_> =
            said.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()).collect();
        for (at, line) in members.iter().enumerate() {
            let mut words = line.splitn(4, |byte| *byte == b' ');
            let mut word = || words.next().expect("a word");
            let (kind, mode, size, member) = (word()[0], word(), word(), word());
            // Only the last of a name is still there, and what another has replaced is not.
            let later = members[at + 1..].iter().any(|line| line.ends_with(member));
            if later || kind == b'h' || member == b"." {
                continue;
            }
            same(&target, name, kind, mode, size, member);
        }
    }
}

/// The kernel looks the member up as a container would: inside the root.
fn same(target: &Path, name: &str, kind: u8, mode: &[u8], size: &[u8], member: &[u8]) {
    use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
    let root = fs::File::open(target).expect("the target");
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let Ok(found) = openat2(&root, member, how) else {
        // Below what has become something else since.
        assert!(name.contains("becomes"), "{name}: {}", String::from_utf8_lossy(member));
        return;
    };
    let found = nix::sys::stat::fstat(&found).expect("fstat");
    let letter = match found.st_mode & 0o170_000 {
        0o040_000 => b'd',
        0o120_000 => b'l',
        0o010_000 => b'p',
        _ => b'f',
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(char::from(letter), char::from(kind), "{name}: {}", text(member));
    if kind == b'f' {
        assert_eq!(found.st_size.to_string(), text(size), "{name}: {}", text(member));
    }
    if kind != b'l' {
        assert_eq!(format!("{:o}", found.st_mode & 0o7777), text(mode), "{name}: {}", text(member));
    }
}

#[test]
fn whiteouts_of_a_layer_become_those_of_overlayfs() {
    use jec::images::{How, Ids, Limits, Whiteouts};
    use std::os::fd::AsFd;
    let world = World::new();
    let layer = tar(|t| {
        t.dir("d").file("d/.wh..wh..opq", "").file("d/a", "x").file(".wh.gone", "");
        t.file(".wh.new", "").dir("new").dir("old").file(".wh.old", "").file(".wh..wh.plnk", "");
        t.file(".wh.kept", "").file("kept", "y");
    });
    let whiteouts = Whiteouts::Overlay { user_xattr: true };
    let how = How { ids: Ids::OwnOnly, whiteouts, limits: Limits::default(), progress: None };
    let path = world.path("layer");
    fs::create_dir(&path).expect("made");
    let target = fs::File::open(&path).expect("opened");
    let report = jec::images::unpack(&*layer, target.as_fd(), &how);
    if report.as_ref().is_err_and(|error| error.to_string().contains("EOPNOTSUPP")) {
        skip!("this file system has no attributes user.*");
    }
    assert_eq!(report.expect("a layer").members, 11);
    let expected = [
        "d 755 1000 d",
        "f 644 1000 d/a x",
        "c 0 now gone 0:0",
        "f 644 1000 kept y",
        "d 755 1000 new",
        "d 755 1000 old",
    ];
    assert_eq!(listing(&path, false), expected);
    for (name, expected) in [("d", true), ("new", true), ("old", true)] {
        let found = attribute(&path.join(name), "user.overlay.opaque");
        assert_eq!(found == Some(b"y".to_vec()), expected, "{name}");
    }
    for bad in [".wh.", ".wh...", "d/.wh.."] {
        let error = jec::images::unpack(
            &*tar(|t| {
                t.file(bad, "");
            }),
            target.as_fd(),
            &how,
        );
        assert!(error.expect_err(bad).to_string().contains("hides nothing"));
        assert_eq!(fs::read_dir(&path).expect("read").count(), 0, "an error empties the target");
    }
}
