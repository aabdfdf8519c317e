//! The store: layers, each unpacked once, and the images that are made of them.
//!
//! `layers/sha256/DIFFID` is a tree for overlayfs, `images/sha256/ID.json` says what an image is
//! made of, `names.json` what it is called. Whoever adds something shares the lock, whoever
//! removes something has it alone; so what is found under a `.partial` name by somebody who is
//! alone was left by a jec that was killed, and goes.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::digest::Digest;
use super::image::Image;
use super::{as_mapped_root, remove};
use crate::error::{Error, Result, ensure, unless};
use crate::state::files::{make, read, replace};
use crate::sys::{credentials, directory, file, layers};

/// What a lock is made of.
const LOCK: OFlag = OFlag::O_RDWR.union(OFlag::O_CREAT).union(OFlag::O_NOFOLLOW);

/// The longest name of an image.
const LONGEST: usize = 255;

/// The fewest digits that stand for an id.
const FEWEST: usize = 4;

/// The images of this user.
pub struct Store {
    path: PathBuf,
    dir: OwnedFd,
    pub(super) layers: OwnedFd,
    images: OwnedFd,
    lock: OwnedFd,
}

impl Store {
    /// Opens the store, or makes it (0700), and removes what killed ones have left.
    pub fn open() -> Result<Self> {
        let path = place()?;
        for name in ["layers/sha256", "images/sha256", "empty"] {
            make(&path.join(name))?;
        }
        let dir = directory::open(file::HERE, &c_string(&path)?)?;
        check_owner(&path, &dir)?;
        let layers = directory::open(dir.as_fd(), c"layers/sha256")?;
        let images = directory::open(dir.as_fd(), c"images/sha256")?;
        let lock = file::openat(dir.as_fd(), c"lock", LOCK, 0o600)?;
        let store = Self { path, dir, layers, images, lock };
        store.clean().map(|()| store)
    }

    /// Removes what killed ones have left, if nobody else is in the store.
    pub fn clean(&self) -> Result<()> {
        if unless(&[Errno::EWOULDBLOCK], file::flock(self.lock.as_fd(), false))?.is_some() {
            self.sweep()?;
        }
        layers::share(self.lock.as_fd())
    }

    /// Where a layer is, or will be.
    pub fn layer(&self, layer: &Digest) -> PathBuf {
        self.path.join("layers/sha256").join(layer.hex())
    }

    /// A file for a while, which nobody else sees: it goes with its descriptor.
    pub fn unnamed(&self) -> Result<File> {
        let name = CString::new(format!("{}.partial", std::process::id()))?;
        let new = file::openat(self.layers.as_fd(), &name, LOCK | OFlag::O_TRUNC, 0o600)?;
        file::unlinkat(self.layers.as_fd(), &name, false)?;
        Ok(File::from(new))
    }

    /// A directory with nothing in it, for the root that a stack of layers will cover.
    pub fn empty(&self) -> PathBuf {
        self.path.join("empty")
    }

    /// Where layers of registries are until they are unpacked.
    pub fn pulls(&self) -> Result<OwnedFd> {
        make(&self.path.join("pull"))?;
        directory::open(self.dir.as_fd(), c"pull")
    }

    /// Whether a layer is there, whole.
    pub fn has_layer(&self, layer: &Digest) -> Result<bool> {
        let name = CString::new(layer.hex())?;
        Ok(unless(&[Errno::ENOENT], directory::open(self.layers.as_fd(), &name))?.is_some())
    }

    /// Bytes and members of a layer that is there.
    pub fn unpacked(&self, layer: &Digest) -> Result<Unpacked> {
        Ok(read(self.layers.as_fd(), &CString::new(format!("{}.json", layer.hex()))?))
    }

    /// Makes an image visible, whose layers are there.
    pub fn add(&self, image: &Image) -> Result<()> {
        let name = document(&image.id)?;
        // A file is replaced by way of one other name.
        let _lock = self.lock_names()?;
        let there = file::openat(self.images.as_fd(), &name, OFlag::O_PATH, 0);
        match unless(&[Errno::ENOENT], there)? {
            Some(_) => Ok(()),
            None => replace(self.images.as_fd(), &name, image),
        }
    }

    /// The image of this id, if it is there.
    pub fn image(&self, id: &Digest) -> Result<Option<Image>> {
        let name = document(id)?;
        let text = file::read_file(self.images.as_fd(), &name, LARGEST);
        let Some(text) = unless(&[Errno::ENOENT], text)? else { return Ok(None) };
        let torn = |error| {
            Error::config(name.to_string_lossy(), format!("is torn: {error}; jec image prune"))
        };
        serde_json::from_str(&text).map(Some).map_err(torn)
    }

    /// All images, in the order of their ids.
    pub fn all(&self) -> Result<Vec<Image>> {
        let mut all = Vec::new();
        for name in directory::names(self.images.as_fd())? {
            let hex =
                name.to_string_lossy().strip_suffix(".json").map(|hex| format!("sha256:{hex}"));
            if let Some(id) = hex.and_then(|text| Digest::parse(&text).ok()) {
                all.extend(self.image(&id)?);
            }
        }
        all.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(all)
    }

    /// What the images are called.
    pub fn names(&self) -> BTreeMap<String, Digest> {
        read(self.dir.as_fd(), c"names.json")
    }

    /// The name that a word means, which may leave its tag out, and whose it is.
    pub fn named(&self, word: &str) -> Option<(String, Digest)> {
        let mut names = self.names();
        [word.to_owned(), format!("{word}:latest")]
            .into_iter()
            .find_map(|name| names.remove_entry(&name))
    }

    /// Gives an image a name; whoever had it loses it.
    pub fn name(&self, name: &str, id: &Digest) -> Result<()> {
        check_name(name)?;
        self.rename(|names| {
            names.insert(name.into(), id.clone());
        })
    }

    /// Of all who write a document, one at a time.
    fn lock_names(&self) -> Result<OwnedFd> {
        let lock = file::openat(self.dir.as_fd(), c"names.lock", LOCK, 0o600)?;
        file::flock(lock.as_fd(), true).map(|()| lock)
    }

    fn rename(&self, change: impl FnOnce(&mut BTreeMap<String, Digest>)) -> Result<()> {
        let _lock = self.lock_names()?;
        let before = self.names();
        let mut names = before.clone();
        change(&mut names);
        if names == before { Ok(()) } else { replace(self.dir.as_fd(), c"names.json", &names) }
    }

    /// The image that a name, or the beginning of an id, means.
    pub fn find(&self, word: &str) -> Result<Image> {
        if let Some((_, id)) = self.named(word)
            && let Some(image) = self.image(&id)?
        {
            return Ok(image);
        }
        let digits = word.strip_prefix("sha256:").unwrap_or(word);
        let mut all = self.all()?;
        all.retain(|image| digits.len() >= FEWEST && image.id.hex().starts_with(digits));
        let several = || Error::config(word, "several images begin with these digits: write more");
        ensure(all.len() < 2, several)?;
        let problem =
            "no image of this name or id; `jec image` lists them, `jec image import` adds one";
        all.pop().ok_or_else(|| Error::config(word, problem))
    }

    /// Keeps an image from being removed for as long as this process lives.
    pub fn hold(&self, image: &Image) -> Result<()> {
        static HELD: OnceLock<OwnedFd> = OnceLock::new();
        let held = file::openat(self.images.as_fd(), &document(&image.id)?, OFlag::O_RDONLY, 0)?;
        layers::share(held.as_fd())?;
        // A jec runs one image; a second one would be held by nobody.
        HELD.set(held).map_err(|_| Error::config(image.id.to_string(), "a second image at a time"))
    }

    /// From now on nobody else adds or removes; waits for those who do.
    pub fn alone(&self) -> Result<()> {
        file::flock(self.lock.as_fd(), true)
    }

    /// Takes a name away from its image.
    pub fn forget_name(&self, name: &str) -> Result<()> {
        self.rename(|names| drop(names.remove(name)))
    }

    /// Removes an image with its names, but no layer. To be called [alone](Self::alone).
    pub fn remove(&self, image: &Image) -> Result<()> {
        let name = document(&image.id)?;
        let held = file::openat(self.images.as_fd(), &name, OFlag::O_RDONLY, 0)?;
        let free = unless(&[Errno::EWOULDBLOCK], file::flock(held.as_fd(), false))?.is_some();
        let problem = "a container runs from it: end that first";
        ensure(free, || Error::config(image.id.to_string(), problem))?;
        self.rename(|names| names.retain(|_, id| *id != image.id))?;
        file::remove(self.images.as_fd(), &name, false).map(drop)
    }

    /// Removes all layers that no image has, except `kept`. To be called [alone](Self::alone).
    pub fn prune(&self, kept: &[PathBuf]) -> Result<u64> {
        let images = self.all()?;
        let mut unused = Vec::new();
        for name in directory::directories(self.layers.as_fd())? {
            let Ok(layer) = Digest::parse(&format!("sha256:{}", name.to_string_lossy())) else {
                continue;
            };
            let used = images.iter().any(|image| image.stack().contains(&&layer));
            if !used && !kept.contains(&self.layer(&layer)) {
                unused.push(layer);
            }
        }
        let mut bytes = 0;
        for layer in &unused {
            bytes += self.unpacked(layer)?.bytes;
            let [name, partial, about] =
                ["", ".partial", ".json"].map(|end| CString::new(format!("{}{end}", layer.hex())));
            // Half a layer is never taken for a whole one, also when we are killed here.
            file::renameat(self.layers.as_fd(), &name?, &partial?)?;
            file::remove(self.layers.as_fd(), &about?, false)?;
        }
        self.sweep().map(|()| bytes)
    }

    /// Removes what is not whole.
    fn sweep(&self) -> Result<()> {
        let names = directory::names(self.layers.as_fd())?;
        let (partial, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.as_bytes().ends_with(b".partial"));
        if !partial.is_empty() {
            as_mapped_root(|_| {
                partial.iter().try_for_each(|name| remove::tree(self.layers.as_fd(), name))
            })?;
        }
        // Locks that nobody has, and what was to be said of a layer that never came.
        let is_left = |name: &&CString| {
            let text = name.to_string_lossy();
            let layer = text.strip_suffix(".json").and_then(|hex| CString::new(hex).ok());
            layer.map_or(text.contains('.'), |layer| !others.contains(&layer))
        };
        let mut left = others.iter().filter(is_left);
        left.try_for_each(|name| file::remove(self.layers.as_fd(), name, false).map(drop))
    }
}

/// What is known of a layer that was unpacked.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub struct Unpacked {
    /// Of all its files.
    pub bytes: u64,
    /// Files, directories, links and whiteouts.
    pub members: u64,
}

/// No document of ours is larger.
const LARGEST: usize = 16 << 20;

fn c_string(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_encoded_bytes())?)
}

fn document(id: &Digest) -> Result<CString> {
    Ok(CString::new(format!("{}.json", id.hex()))?)
}

/// /var/lib/jec for root of the machine, else the user's directory for data.
fn place() -> Result<PathBuf> {
    let variable = |name| std::env::var(name).ok().filter(|path: &String| path.starts_with('/'));
    let is_root = credentials::geteuid() == 0 && credentials::in_the_initial_user_namespace()?;
    let data = variable("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| {
        if is_root {
            Some("/var/lib".into())
        } else {
            variable("HOME").map(|home| Path::new(&home).join(".local/share"))
        }
    });
    let lacks = "nowhere to keep images: neither XDG_DATA_HOME nor HOME is an absolute path";
    let path = data.ok_or_else(|| Error::machine(lacks, "export HOME=/home/…"))?.join("jec");
    let shown = path.to_string_lossy();
    // The list of layers has colons between them, and options of mounts have commas.
    let is_plain = path.to_str().is_some() && !shown.contains([':', ',', '\\']);
    let odd =
        || Error::config(&*shown, "the path of the store may have no colon, comma or backslash");
    ensure(is_plain, odd)?;
    Ok(path)
}

fn check_owner(path: &Path, dir: &OwnedFd) -> Result<()> {
    let stat = file::fstat(dir.as_fd())?;
    let (owner, mode) = (stat.st_uid, stat.st_mode & 0o7777);
    ensure(owner == credentials::geteuid() && mode & 0o022 == 0, || {
        let whose = format!("the store {} (uid {owner}, mode {mode:#o})", path.display());
        let lacks = format!("{whose}: somebody else could write into it");
        Error::machine(lacks, "remove it, or choose another one by XDG_DATA_HOME")
    })
}

/// A name that an image can have.
pub fn check_name(name: &str) -> Result<()> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte);
    let is_name = (1..=LONGEST).contains(&name.len())
        && name.bytes().all(letter)
        && name.as_bytes()[0].is_ascii_alphanumeric();
    let problem = "the name of an image has letters, digits and . _ / : @ -, at most 255";
    ensure(is_name, || Error::config(format!("{name:?}"), problem))
}
