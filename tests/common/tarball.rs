//! Archives, block by block: what honest tools write, and what they never would.

/// An archive that is being written.
#[derive(Default)]
pub struct Tar(pub Vec<u8>);

/// A header to be. `kind` is tar's letter.
#[derive(Clone)]
pub struct Head {
    pub name: Vec<u8>,
    pub kind: u8,
    pub mode: u64,
    pub owner: (u64, u64),
    pub size: u64,
    pub time: u64,
    pub link: Vec<u8>,
    pub device: (u64, u64),
    pub magic: [u8; 8],
}

pub const USTAR: [u8; 8] = *b"ustar\x0000";
pub const GNU: [u8; 8] = *b"ustar  \0";

pub fn head(kind: u8, name: impl AsRef<[u8]>) -> Head {
    let mode = if kind == b'5' { 0o755 } else { 0o644 };
    let (name, link) = (name.as_ref().to_vec(), Vec::new());
    Head {
        name,
        kind,
        mode,
        owner: (0, 0),
        size: 0,
        time: 1000,
        link,
        device: (0, 0),
        magic: USTAR,
    }
}

impl Head {
    pub fn block(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, format!("{:07o}\0", self.mode).as_bytes());
        for (at, number) in [(108, self.owner.0), (116, self.owner.1)] {
            // What has more than seven digits is written as GNU does, in binary.
            match number {
                0..0o10_000_000 => put(at, format!("{number:07o}\0").as_bytes()),
                _ => put(at, &(number | 1 << 63).to_be_bytes()),
            }
        }
        put(124, format!("{:011o}\0", self.size).as_bytes());
        put(136, format!("{:011o}\0", self.time).as_bytes());
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, &self.magic);
        put(329, format!("{:07o}\0{:07o}\0", self.device.0, self.device.1).as_bytes());
        seal(&mut block);
        block
    }
}

/// Writes the checksum of a header.
pub fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

impl Tar {
    pub fn head(&mut self, head: &Head) -> &mut Self {
        self.0.extend(head.block());
        self
    }

    /// Content, and zeros to the end of its block.
    pub fn content(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn with(&mut self, mut head: Head, bytes: &[u8]) -> &mut Self {
        head.size = bytes.len() as u64;
        self.head(&head).content(bytes)
    }

    pub fn file(&mut self, name: impl AsRef<[u8]>, text: &str) -> &mut Self {
        self.with(head(b'0', name), text.as_bytes())
    }

    pub fn dir(&mut self, name: impl AsRef<[u8]>) -> &mut Self {
        self.head(&head(b'5', name))
    }

    pub fn link(&mut self, name: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> &mut Self {
        self.head(&Head { link: to.as_ref().to_vec(), ..head(b'2', name) })
    }

    pub fn hard(&mut self, name: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> &mut Self {
        self.head(&Head { link: to.as_ref().to_vec(), ..head(b'1', name) })
    }

    pub fn pax(&mut self, records: &[(&str, &[u8])]) -> &mut Self {
        self.with(head(b'x', "PaxHeaders/x"), &pax(records))
    }

    /// A long name of GNU's kind: `L` for the member, `K` for where it leads.
    pub fn long(&mut self, kind: u8, name: &str) -> &mut Self {
        let head = Head { magic: GNU, ..head(kind, "././@LongLink") };
        self.with(head, format!("{name}\0").as_bytes())
    }

    pub fn end(&mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        std::mem::take(&mut self.0)
    }
}

/// Records with their lengths, which count themselves.
pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while rest + length.to_string().len() != length {
            length = rest + length.to_string().len();
        }
        text.extend(format!("{length} {key}=").as_bytes());
        text.extend(*value);
        text.push(b'\n');
    }
    text
}

/// A new archive, filled.
pub fn tar(fill: impl FnOnce(&mut Tar)) -> Vec<u8> {
    let mut tar = Tar::default();
    fill(&mut tar);
    tar.end()
}
