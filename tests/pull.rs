//! `jec pull` and docker://NAME, against a real registry: Debian's docker-registry on a socket of
//! the test's own, filled by skopeo. Between the two stands a front of the test, which listens on
//! loopback, writes down what is asked, and where a test wants that cuts, lies, refuses or redirects.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::image::{
    INDEX, Item, Layout, Pack, architecture, digest, of_platform, packed, tagged, tar,
};
use common::pty::Pty;
use common::{Ran, World, has_program, rootfs, until};
use serde_json::{Value, json};

/// What `jec`, with the password below, finds behind its name in htpasswd.
const HTPASSWD: &str = "jec:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";
/// `jec:open sesame` as config.json has it.
const AUTH: &str = "amVjOm9wZW4gc2VzYW1l";

/// What the front does with a request.
enum Act {
    /// Hands it on.
    Pass,
    /// Hands it on, and cuts the answer after so many bytes.
    Cut(usize),
    /// Hands it on, and changes the last byte of the answer.
    Lie,
    /// Hands it on, and the answer back in pieces, with pauses.
    Slow,
    /// Answers itself.
    Say(String),
}

fn say(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))
}

type Behaviour = Box<dyn Fn(&str, usize) -> Act + Send + Sync>;

/// Where jec connects to.
struct Front {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// `act` gets the head of a request, and how many with this first line came before.
    fn new(registry: &Path, act: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (act, path, heads): (Arc<Behaviour>, _, _) =
            (Arc::new(Box::new(act)), registry.to_owned(), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (act, path, heads) = (act.clone(), path.clone(), heads.clone());
                thread::spawn(move || serve(stream, &path, &act, &heads));
            }
        });
        Self { port, asked }
    }

    fn honest(registry: &Path) -> Self {
        Self::new(registry, |_, _| Act::Pass)
    }

    fn name(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the list").clone()
    }

    /// Heads of requests whose first line has these words.
    fn asked_for(&self, words: &str) -> Vec<String> {
        self.asked().into_iter().filter(|head| head.contains(words)).collect()
    }
}

/// One request, one answer. A client that speaks TLS is handed through as it is. Whoever goes away
/// in the middle, as jec does when it is killed, is no failure of the front.
fn serve(mut client: TcpStream, path: &Path, act: &Behaviour, heads: &Mutex<Vec<String>>) {
    let mut first = [0];
    if client.peek(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let Ok(mut server) = UnixStream::connect(path) else { return };
    if first[0] == 0x16 {
        let (mut from, mut to) =
            (client.try_clone().expect("a copy"), server.try_clone().expect("a copy"));
        thread::spawn(move || {
            drop(std::io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Write));
        });
        drop(std::io::copy(&mut server, &mut client));
        drop(client.shutdown(Shutdown::Both));
        return;
    }
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let first_line = head.lines().next().unwrap_or_default().to_owned();
    let before = {
        let mut heads = heads.lock().expect("the list");
        let before = heads.iter().filter(|one| one.starts_with(&first_line)).count();
        heads.push(head.clone());
        before
    };
    let what = act(&head, before);
    if let Act::Say(text) = what {
        drop(client.write_all(text.as_bytes()));
        return;
    }
    // What skopeo pushes has a body; it may go on for as long as the registry listens.
    let alone = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    drop(server.write_all(alone.as_bytes()));
    let (mut from, mut to) =
        (client.try_clone().expect("a copy"), server.try_clone().expect("a copy"));
    if !head.starts_with("GET") {
        thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
    }
    answer(&mut server, &mut client, &what);
    drop(client.shutdown(Shutdown::Both));
}

fn answer(server: &mut UnixStream, client: &mut TcpStream, what: &Act) {
    let mut bytes = Vec::new();
    match what {
        Act::Cut(after) => {
            drop(server.take(*after as u64).read_to_end(&mut bytes));
            drop(client.write_all(&bytes));
        }
        Act::Lie => {
            drop(server.read_to_end(&mut bytes));
            *bytes.last_mut().expect("an answer") ^= 1;
            drop(client.write_all(&bytes));
        }
        Act::Slow => {
            drop(server.read_to_end(&mut bytes));
            for piece in bytes.chunks(64 << 10) {
                thread::sleep(Duration::from_millis(5));
                if client.write_all(piece).is_err() {
                    return;
                }
            }
        }
        _ => drop(std::io::copy(server, client)),
    }
}

/// A docker-registry of our own. It ends with us, however we end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Where tests/run has put it, or the distribution.
fn program() -> Option<PathBuf> {
    let ours =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/registry/usr/bin/docker-registry");
    let found = ["skopeo", "setpriv"].into_iter().all(has_program);
    let path = if ours.is_file() { Some(ours) } else { None };
    let path = path.or_else(|| has_program("docker-registry").then(|| "docker-registry".into()));
    if !found || path.is_none() {
        println!("SKIPPED: no docker-registry, skopeo or setpriv here");
        return None;
    }
    path
}

/// A world with a store of its own, and a registry.
struct Pulls {
    world: World,
    program: PathBuf,
    servers: Mutex<Vec<Server>>,
}

impl Pulls {
    fn new() -> Option<Self> {
        let program = program()?;
        Some(Self { world: World::new(), program, servers: Mutex::default() })
    }

    /// Starts a registry on the one storage, and says where it listens.
    fn server(&self, name: &str, more: &Value, tls: &Value) -> PathBuf {
        let path = |end: &str| self.world.path(&format!("{name}.{end}"));
        let mut config = json!({"version": 0.1, "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": self.world.path("storage")}},
            "http": {"net": "unix", "addr": path("sock"), "tls": tls}});
        if !more.is_null() {
            config["auth"] = more.clone();
        }
        // Every JSON is a YAML.
        fs::write(path("yml"), config.to_string()).expect("a file");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.program).arg("serve").arg(path("yml"));
        let log = fs::File::create(path("log")).expect("a file");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a copy")).stderr(log);
        let child = command.spawn().expect("docker-registry");
        self.servers.lock().expect("the list").push(Server(child));
        until("the registry listens", || UnixStream::connect(path("sock")).is_ok());
        path("sock")
    }

    /// An open registry, with a layout pushed to `team/box:1`.
    fn filled(&self, layout: &Layout) -> PathBuf {
        let socket = self.server("open", &Value::Null, &Value::Null);
        let front = Front::honest(&socket);
        let to = format!("docker://{}", front.name("team/box:1"));
        let mut command = Command::new("skopeo");
        command.args(["copy", "--quiet", "--all", "--insecure-policy", "--dest-tls-verify=false"]);
        command.arg(format!("oci:{}", layout.0.display())).arg(to);
        command.env("HOME", self.world.path(".")).env_remove("XDG_RUNTIME_DIR");
        Ran::of(command).ok();
        socket
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.world.jec();
        command.env("XDG_DATA_HOME", self.world.path("data")).args(words);
        command.env("DOCKER_CONFIG", self.world.path("docker")).env_remove("SSL_CERT_FILE");
        command
    }

    fn jec(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words))
    }

    fn pull(&self, front: &Front) -> Ran {
        self.jec(&["pull", &front.name("team/box:1")])
    }

    fn log_in(&self, front: &Front, auth: &str) {
        fs::create_dir_all(self.world.path("docker")).expect("a directory");
        let host = format!("127.0.0.1:{}", front.port);
        let text =
            json!({"auths": {host: {"auth": auth}, "other.example": {"auth": "b3RoZXI6eA=="}}});
        fs::write(self.world.path("docker/config.json"), text.to_string()).expect("a file");
    }

    fn names(&self, of: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.world.path("data/jec").join(of)).into_iter().flatten();
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn layers(&self) -> usize {
        self.names("layers/sha256").iter().filter(|name| name.len() == 64).count()
    }

    /// Nothing that is not whole can be seen, and nothing is left that has been unpacked.
    fn is_empty(&self) {
        assert_eq!((self.layers(), self.names("images/sha256").len()), (0, 0));
    }

    fn is_whole(&self, layers: usize) {
        assert_eq!(self.layers(), layers);
        assert_eq!(self.names("pull"), BTreeSet::new());
        assert_eq!(self.names("images/sha256").len(), 1);
    }
}

/// Something that does not become shorter.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| byte()).collect()
}

/// Busybox and three layers of 1 MiB.
fn layers() -> Vec<(Vec<u8>, Pack)> {
    let busybox = fs::read(rootfs().join("bin/busybox")).expect("busybox");
    let base = tar(&[
        ("bin", Item::Directory),
        ("bin/busybox", Item::File(&busybox)),
        ("bin/sh", Item::Link("busybox")),
    ]);
    let mut layers = vec![(base, Pack::Gzip)];
    for (seed, name) in [(1, "one"), (2, "two"), (3, "three")] {
        layers.push((tar(&[(name, Item::File(&noise(seed, 1 << 20)))]), Pack::Gzip));
    }
    layers
}

fn made(pulls: &Pulls) -> Layout {
    let layout = Layout::new(pulls.world.path("layout"));
    let config = json!({"Cmd": ["/bin/sh", "-c", "echo $A"], "Env": ["A=pulled", "PATH=/bin"]});
    layout.index(&[tagged(layout.image(&layers(), &config, |_, _| {}), "1")]);
    layout
}

/// The digest of the last layer's blob, which skopeo leaves as it is since it is compressed.
fn blob() -> String {
    let last = tar(&[("three", Item::File(&noise(3, 1 << 20)))]);
    digest(&packed(&last, Pack::Gzip).0)
}

#[test]
fn an_image_of_a_registry_runs_and_comes_once() {
    let Some(pulls) = Pulls::new() else { return };
    let layout = made(&pulls);
    let front = Front::honest(&pulls.filled(&layout));
    let said = pulls.pull(&front).ok();
    let index = fs::read_to_string(layout.0.join("index.json")).expect("the index");
    let index: Value = serde_json::from_str(&index).expect("JSON");
    let wanted = index["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(said.out, format!("{wanted}  {}\n", front.name("team/box:1")));
    // No bar in a pipe.
    assert_eq!(said.err, "");
    pulls.is_whole(4);
    assert_eq!(front.asked_for("GET /v2/team/box/blobs/").len(), 5);
    let image = format!("image:{}", front.name("team/box:1"));
    assert_eq!(pulls.jec(&["run", &image]).ok().out, "pulled\n");
    // By its digest, and without fetching anything again; the name that was taken stays.
    let pinned = format!("docker://{}", front.name(&format!("team/box@{wanted}")));
    assert_eq!(pulls.jec(&["run", &pinned]).ok().out, "pulled\n");
    assert_eq!(front.asked_for("GET /v2/team/box/blobs/").len(), 6, "the configuration");
    pulls.servers.lock().expect("the list").clear();
    pulls.world.assert_clean();
}

#[test]
fn of_a_list_the_manifest_of_this_machine_comes() {
    let Some(pulls) = Pulls::new() else { return };
    let layout = Layout::new(pulls.world.path("layout"));
    let other = layout.image(
        &[(tar(&[("other", Item::File(b"x"))]), Pack::Plain)],
        &json!({}),
        |_, whole| {
            whole["architecture"] = json!("s390x");
        },
    );
    let ours =
        layout.image(&layers()[..1], &json!({"Cmd": ["/bin/sh", "-c", "echo ours"]}), |_, _| {});
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests":
        [of_platform(other, "s390x"), of_platform(ours.clone(), architecture())]});
    layout.index(&[tagged(layout.document(&list, INDEX), "1")]);
    let front = Front::honest(&pulls.filled(&layout));
    let said = pulls.pull(&front).ok().out;
    assert!(said.starts_with(ours["digest"].as_str().expect("a digest")), "{said}");
    pulls.is_whole(1);
    assert_eq!(
        pulls.jec(&["run", &format!("docker://{}", front.name("team/box:1"))]).ok().out,
        "ours\n"
    );
}

#[test]
fn a_password_is_sent_where_it_belongs_and_never_shown() {
    let Some(pulls) = Pulls::new() else { return };
    pulls.filled(&made(&pulls));
    let file = pulls.world.path("htpasswd");
    fs::write(&file, HTPASSWD).expect("a file");
    let auth = json!({"htpasswd": {"realm": "here", "path": file}});
    let socket = pulls.server("closed", &auth, &Value::Null);
    let other = Front::honest(&pulls.world.path("open.sock"));
    let blob = blob();
    let away = format!("Location: http://127.0.0.1:{}/v2/team/box/blobs/{}\r\n", other.port, blob);
    let front = Front::new(&socket, move |head, _| {
        if head.contains(&blob) && head.contains("uthorization") {
            return say("307 Temporary Redirect", &away, "");
        }
        Act::Pass
    });
    pulls.pull(&front).fails(1, &["status 401", "docker login 127.0.0.1", "curl -I http://"]);
    pulls.log_in(&front, "amVjOndyb25n");
    let said = pulls.pull(&front).fails(1, &["status 401"]);
    assert!(!said.err.contains("amVj") && !said.err.contains("wrong"), "{}", said.err);
    pulls.is_empty();
    pulls.log_in(&front, AUTH);
    pulls.pull(&front).ok();
    pulls.is_whole(4);
    let other = other.asked();
    assert!(other.len() == 1 && !other[0].to_lowercase().contains("authorization"), "{other:?}");
    assert!(front.asked().iter().all(|head| !head.contains("b3RoZXI6eA==")));
}

#[test]
fn where_a_registry_redirects_to_nobody_is_told_who_we_are() {
    let Some(pulls) = Pulls::new() else { return };
    let socket = pulls.filled(&made(&pulls));
    // It would like to know, and names itself as who gives tokens.
    let other = Front::new(&socket, |head, _| {
        let host = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
        let host = host.unwrap_or_default();
        let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n");
        say("401 Unauthorized", &challenge, "")
    });
    let away = format!("Location: http://127.0.0.1:{}/x?signature=hidden\r\n", other.port);
    let front = Front::new(&socket, move |head, _| {
        if head.contains("/blobs/") { say("302 Found", &away, "") } else { Act::Pass }
    });
    pulls.log_in(&front, AUTH);
    let said = pulls.pull(&front).fails(1, &["status 401"]);
    assert!(!said.err.contains("hidden"), "{}", said.err);
    let asked = other.asked();
    assert!(!asked.is_empty() && asked.iter().all(|head| head.starts_with("GET /x")), "{asked:?}");
    assert!(!asked.concat().to_lowercase().contains("authorization"), "{asked:?}");
    pulls.is_empty();
    // Not out of TLS, and not to what speaks no HTTP.
    for to in ["http://192.0.2.1/x", "https://a:b@127.0.0.1:1/x", "file:///etc/passwd", "x"] {
        let away = format!("Location: {to}\r\n");
        let front = Front::new(&socket, move |_, _| say("302 Found", &away, ""));
        pulls.pull(&front).fails(1, &["where nobody proves who he is"]);
    }
}

#[test]
fn a_token_is_asked_for_with_the_password_and_shown_to_the_registry() {
    let Some(pulls) = Pulls::new() else { return };
    let socket = pulls.filled(&made(&pulls));
    let front = Front::new(&socket, move |head, _| {
        let host = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
        let host = host.unwrap_or_default();
        if head.starts_with("GET /token?") {
            let known = head.contains(&format!("Basic {AUTH}"));
            return if known {
                say("200 OK", "", r#"{"token": "good"}"#)
            } else {
                say("401 No", "", "")
            };
        }
        if head.contains("Bearer good") {
            return Act::Pass;
        }
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{host}/token\",\
            service=\"here\",scope=\"repository:team/box:pull\"\r\n"
        );
        say("401 Unauthorized", &challenge, "")
    });
    pulls.pull(&front).fails(1, &["/token: status 401"]);
    pulls.log_in(&front, AUTH);
    pulls.pull(&front).ok();
    pulls.is_whole(4);
    let asked = front.asked_for("GET /token?");
    assert!(
        asked.iter().all(|head| head.contains("scope=repository") && head.contains("service=here"))
    );
    // The password goes to nobody but who gives tokens.
    assert!(front.asked_for("/v2/").iter().all(|head| !head.contains("Basic")));
}

#[test]
fn whoever_has_a_certificate_has_to_be_trusted() {
    let Some(pulls) = Pulls::new() else { return };
    if !has_program("openssl") {
        skip!("openssl is not installed");
    }
    pulls.filled(&made(&pulls));
    let path = |name: &str| pulls.world.path(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]);
    command.args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    Ran::of({
        command.args(["-keyout", &key, "-out", &certificate]);
        command
    })
    .ok();
    let tls = json!({"certificate": certificate, "key": key});
    let front = Front::honest(&pulls.server("tls", &Value::Null, &tls));
    pulls.pull(&front).fails(1, &["certificate", "--ca FILE", "curl -I https://127.0.0.1"]);
    pulls.is_empty();
    let name = front.name("team/box:1");
    pulls.jec(&["pull", "--ca", &key, &name]).fails(1, &["no certificate"]);
    pulls.jec(&["pull", "--ca", &certificate, &name]).ok();
    pulls.is_whole(4);
    // Over TLS alone: the front has not seen one word.
    assert_eq!(front.asked(), [""; 0]);
    let mut command = pulls.command(&["run", &format!("docker://{name}")]);
    assert_eq!(
        Ran::of({
            command.env("SSL_CERT_FILE", &certificate);
            command
        })
        .ok()
        .out,
        "pulled\n"
    );
}

#[test]
fn another_machine_is_not_spoken_to_without_tls_unless_that_is_said() {
    let Some(pulls) = Pulls::new() else { return };
    let front = Front::honest(&pulls.filled(&made(&pulls)));
    // An address that is not of loopback, and leads there all the same.
    let name = format!("0.0.0.0:{}/team/box:1", front.port);
    pulls.jec(&["pull", &name]).fails(1, &["https://0.0.0.0", "--plain-http"]);
    assert_eq!(front.asked(), [""; 0]);
    pulls.jec(&["pull", "--plain-http", "--quiet", &name]).ok();
    pulls.is_whole(4);
}

#[test]
fn a_blob_that_lies_never_becomes_visible() {
    let Some(pulls) = Pulls::new() else { return };
    let (socket, blob) = (pulls.filled(&made(&pulls)), blob());
    for what in [format!("/blobs/{blob}"), "/manifests/1".into(), "/blobs/".into()] {
        let front = Front::new(
            &socket,
            move |head, _| {
                if head.contains(&what) { Act::Lie } else { Act::Pass }
            },
        );
        pulls.pull(&front).fails(1, &["its digest is sha256:", "damaged, or exchanged"]);
        pulls.is_empty();
        assert!(!pulls.names("pull").iter().any(|name| name.starts_with(&blob[7..])));
    }
    pulls.pull(&Front::honest(&socket)).ok();
    pulls.is_whole(4);
}

#[test]
fn what_was_cut_goes_on_where_it_was() {
    let Some(pulls) = Pulls::new() else { return };
    let socket = pulls.filled(&made(&pulls));
    let layer = blob();
    let blob = layer.clone();
    let front = Front::new(&socket, move |head, before| match before {
        0 if head.contains(&blob) => Act::Cut(300_000),
        _ if head.contains(&blob) => say("404 Gone", "", ""),
        _ => Act::Pass,
    });
    pulls.pull(&front).fails(1, &["status 404"]);
    pulls.is_empty();
    let partial = pulls.world.path(&format!("data/jec/pull/{}.partial", &layer[7..]));
    let kept = fs::metadata(&partial).expect("what came").len();
    assert!((200_000..300_000).contains(&kept), "{kept}");
    // By the next command, and then by the same one.
    let blob = layer.clone();
    let front = Front::new(&socket, move |head, before| {
        if head.contains(&blob) && before < 2 { Act::Cut(300_000) } else { Act::Pass }
    });
    pulls.pull(&front).ok();
    pulls.is_whole(4);
    let asked = front.asked_for(&layer);
    assert!(asked[0].to_lowercase().contains(&format!("range: bytes={kept}-")), "{asked:?}");
    assert_eq!(asked.len(), 3, "{asked:?}");
}

#[test]
fn a_registry_that_has_had_enough_is_asked_again_and_not_for_ever() {
    let Some(pulls) = Pulls::new() else { return };
    let socket = pulls.filled(&made(&pulls));
    let begin = std::time::Instant::now();
    let late = "Retry-After: 3600\r\n";
    let front = Front::new(&socket, move |_, _| say("429 Too Many Requests", late, ""));
    pulls.pull(&front).fails(1, &["status 429, again in 3600 s", "docker login"]);
    assert!(begin.elapsed() < Duration::from_secs(2));
    pulls.is_empty();
    let (counted, blob) = (blob(), blob());
    let front = Front::new(&socket, move |head, before| match before {
        0 if head.contains(&blob) => say("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        1 if head.contains(&blob) => say("503 Busy", "", ""),
        _ => Act::Pass,
    });
    pulls.pull(&front).ok();
    pulls.is_whole(4);
    assert_eq!(front.asked_for(&counted).len(), 3);
}

#[test]
fn a_registry_that_fails_each_time_is_left_alone_in_the_end() {
    let Some(pulls) = Pulls::new() else { return };
    let socket = pulls.server("open", &Value::Null, &Value::Null);
    let front = Front::new(&socket, |head, _| {
        if head.starts_with("GET /v2/ ") { Act::Pass } else { say("500 Oh", "", "") }
    });
    pulls.pull(&front).fails(1, &["status 500", "the registry itself fails"]);
    assert_eq!(front.asked_for("/manifests/").len(), 5);
    pulls.is_empty();
}

#[test]
fn what_cannot_come_is_said_with_its_cause() {
    let Some(pulls) = Pulls::new() else { return };
    let socket = pulls.filled(&made(&pulls));
    let front = Front::new(&socket, |head, _| {
        let html = "Content-Type: text/html\r\n";
        if head.contains("/web/") { say("200 OK", html, "<html>") } else { Act::Pass }
    });
    for (name, words) in [
        (front.name("team/none:1"), "status 404"),
        (front.name("team/box:none"), "no such image or tag"),
        (front.name("web/a"), "of media type \"text/html\", which is no image"),
        ("127.0.0.1:1/a".into(), "nothing listens there"),
        ("Busybox".into(), "names no image"),
        (front.name(&format!("team/box@sha256:{}", "0".repeat(64))), "status 404"),
    ] {
        pulls.jec(&["pull", &name]).fails(1, &[words]);
    }
    pulls.is_empty();
}

/// A module of nss(5) is made for another copy of the C library, and may end this one.
#[test]
fn a_name_is_looked_up_without_the_modules_of_the_machine() {
    let Some(pulls) = Pulls::new() else { return };
    let write = |name: &str, text: &str| fs::write(pulls.world.path(name), text).expect("a file");
    write("nsswitch.conf", "hosts: deadly files dns\n");
    write("deadly.c", "#include <stdlib.h>\n__attribute__((constructor)) void f() { abort(); }\n");
    let library = format!("{}/libnss_deadly.so.2", pulls.world.path(".").display());
    let source = pulls.world.path("deadly.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o", &library]).arg(source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        skip!("there is no cc for a dynamic library");
    }
    let inner = pulls.command(&["pull", "localhost:1/a"]);
    let script = r#"mount --bind "$1" /etc/nsswitch.conf; shift; "$@""#;
    let said = |words: &[&std::ffi::OsStr]| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-ec", script, "sh"]);
        command.arg(pulls.world.path("nsswitch.conf")).args(words).current_dir("/");
        command.env("LD_LIBRARY_PATH", pulls.world.path("."));
        command.env("XDG_DATA_HOME", pulls.world.path("data"));
        Ran::of(command)
    };
    // The machine's own program does load it.
    let getent = said(&["getent".as_ref(), "hosts".as_ref(), "localhost".as_ref()]);
    assert_eq!(getent.code, 134, "{getent:?}");
    let words: Vec<_> = [inner.get_program()].into_iter().chain(inner.get_args()).collect();
    said(&words).fails(1, &["nothing listens there"]);
}

#[test]
fn ten_at_once_share_the_work() {
    let Some(pulls) = Pulls::new() else { return };
    let front = Front::new(&pulls.filled(&made(&pulls)), |head, _| {
        if head.contains("/blobs/") { Act::Slow } else { Act::Pass }
    });
    let name = front.name("team/box:1");
    let start = |_| {
        let mut command = pulls.command(&["pull", &name]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("jec")
    };
    let all: Vec<Child> = (0..10).map(start).collect();
    for child in all {
        let output = child.wait_with_output().expect("jec");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    pulls.is_whole(4);
    assert_eq!(front.asked_for(&blob()).len(), 1, "a layer comes once");
}

#[test]
fn killed_at_any_point_it_goes_on() {
    let Some(pulls) = Pulls::new() else { return };
    let front = Front::new(&pulls.filled(&made(&pulls)), |head, _| {
        if head.contains("/blobs/") { Act::Slow } else { Act::Pass }
    });
    let name = front.name("team/box:1");
    for pause in [5, 20, 45, 70, 95, 130, 170] {
        let mut command = pulls.command(&["pull", &name]);
        let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("jec");
        thread::sleep(Duration::from_millis(pause));
        drop(child.kill());
        drop(child.wait());
        for name in pulls.names("pull") {
            let bytes = fs::read(pulls.world.path("data/jec/pull").join(&name)).expect("a file");
            assert!(name.ends_with(".partial") || digest(&bytes)[7..] == name, "{name}");
        }
    }
    pulls.pull(&front).ok();
    pulls.is_whole(4);
    assert!(front.asked().iter().any(|head| head.to_lowercase().contains("range: bytes=")));
    // Killed when the layer was in the store, and its file was still to go.
    let kept = pulls.world.path("data/jec/pull").join(&blob()[7..]);
    fs::write(kept, "whole").expect("a file");
    pulls.pull(&front).ok();
    pulls.is_whole(4);
    assert_eq!(pulls.jec(&["run", &format!("image:{name}")]).ok().out, "pulled\n");
    // What nobody goes on with is removed when that is asked for.
    fs::write(pulls.world.path("data/jec/pull/x.partial"), "x").expect("a file");
    pulls.jec(&["image", "prune"]).ok();
    assert_eq!(pulls.names("pull"), BTreeSet::new());
}

#[test]
fn a_terminal_shows_a_bar_a_layer_unless_it_is_to_be_quiet() {
    let Some(pulls) = Pulls::new() else { return };
    let front = Front::new(&pulls.filled(&made(&pulls)), |head, _| {
        if head.contains("/blobs/") { Act::Slow } else { Act::Pass }
    });
    let name = front.name("team/box:1");
    // A terminal hands no environment on.
    let mut command = Command::new("env");
    let inner = pulls.command(&[]);
    command.arg(format!("XDG_DATA_HOME={}", pulls.world.path("data").display()));
    command.arg(inner.get_program()).arg("pull").arg(&name);
    for quiet in [false, true] {
        if quiet {
            command.arg("--quiet");
        }
        let Some(mut terminal) = Pty::start(&command) else {
            skip!("this machine has no pseudo terminals");
        };
        assert_eq!(terminal.wait(), 0);
        let screen = terminal.screen();
        let bars =
            screen.split(['\r', '\n']).filter(|line| line.contains("pull ") && line.contains('['));
        let layers: BTreeSet<_> =
            bars.filter_map(|line| line.split("pull ").nth(1)?.get(..12)).collect();
        assert_eq!(layers.len(), if quiet { 0 } else { 4 }, "{screen}");
        pulls.is_whole(4);
        // What remains is the digest, on the first line.
        let end = screen.rsplit("\x1b[J").next().unwrap_or_default();
        assert!(end.trim_start_matches("\r\x1b[K").starts_with("sha256:"), "{screen:?}");
        pulls.jec(&["image", "rm", &name]).ok();
    }
}
