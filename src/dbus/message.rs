//! The bytes of a message.

// Types of messages, and codes of header fields.
const CALL: u8 = 1;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const SIGNATURE: u8 = 8;

/// A value of the types that are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `s`
    Text(String),
    /// `b`
    Flag(bool),
    /// `t`
    Number(u64),
    /// `au`
    Numbers(Vec<u32>),
}

/// Who is called, and what.
pub struct Method<'a> {
    /// The name on the bus.
    pub destination: &'a str,
    /// The object.
    pub path: &'a str,
    /// The interface, which the method belongs to.
    pub interface: &'a str,
    /// The method.
    pub member: &'a str,
}

/// What is written, aligned from its beginning.
#[derive(Default)]
pub struct Writer(pub(super) Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    /// `s`, and `o`.
    pub fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// `b`
    pub fn flag(&mut self, flag: bool) {
        self.number(flag.into());
    }

    /// `g`
    fn signature(&mut self, text: &str) {
        self.0.extend([u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// `v`
    fn variant(&mut self, value: &Value) {
        match value {
            Value::Text(text) => {
                self.signature("s");
                self.text(text);
            }
            Value::Flag(flag) => {
                self.signature("b");
                self.flag(*flag);
            }
            Value::Number(number) => {
                self.signature("t");
                self.align(8);
                self.0.extend(number.to_le_bytes());
            }
            Value::Numbers(numbers) => {
                self.signature("au");
                self.number(u32::try_from(numbers.len() * 4).unwrap_or(u32::MAX));
                for number in numbers {
                    self.number(*number);
                }
            }
        }
    }

    /// An array of structs: its length comes first, without the gap before the first of them.
    fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        self.number(0);
        let length_at = self.0.len() - 4;
        self.align(8);
        let start = self.0.len();
        fill(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// `a(sv)`
    pub fn properties(&mut self, properties: &[(&str, Value)]) {
        self.array(|array| {
            for (name, value) in properties {
                array.align(8);
                array.text(name);
                array.variant(value);
            }
        });
    }
}

/// What is read, in the same way; none behind its end.
pub(super) struct Reader<'a>(pub(super) &'a [u8], pub(super) usize);

impl<'a> Reader<'a> {
    fn bytes(&mut self, align: usize, count: usize) -> Option<&'a [u8]> {
        let start = self.1.next_multiple_of(align);
        self.1 = start.checked_add(count)?;
        self.0.get(start..self.1)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4, 4)?.try_into().ok()?))
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let text = self.bytes(1, length.checked_add(1)?)?;
        std::str::from_utf8(&text[..length]).ok()
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.bytes(1, 1)?[0]);
        self.bytes(1, length + 1).map(|text| &text[..length])
    }
}

/// A message that has come.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) reply_to: u32,
    /// The member of a signal, the name of an error.
    pub(super) name: String,
    pub(super) body: Vec<u8>,
}

/// How long the message is that begins so; none while that cannot be told.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    Some((16 + at(12)?).next_multiple_of(8) + at(4)?)
}

/// A whole message; none when it is not one, or not in our byte order.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    let mut message = Message { kind: *bytes.get(1)?, ..Message::default() };
    let end = 16 + Reader(bytes, 12).number()? as usize;
    let mut fields = Reader(bytes, 16);
    while bytes[0] == b'l' && fields.1 < end {
        let code = fields.bytes(8, 1)?[0];
        match (code, fields.signature()?) {
            (MEMBER | ERROR_NAME, b"s") => message.name = fields.text()?.into(),
            (REPLY_SERIAL, b"u") => message.reply_to = fields.number()?,
            (_, b"g") => drop(fields.signature()?),
            (_, b"u") => drop(fields.number()?),
            (_, b"s" | b"o") => drop(fields.text()?),
            _ => return None,
        }
    }
    message.body = bytes.get(end.next_multiple_of(8)..)?.to_vec();
    Some(message)
}

/// The bytes of a call.
pub(super) fn call(serial: u32, method: &Method, signature: &str, body: &Writer) -> Vec<u8> {
    let mut all = Writer(vec![b'l', CALL, 0, 1]);
    all.number(u32::try_from(body.0.len()).unwrap_or(u32::MAX));
    all.number(serial);
    all.array(|fields| {
        let names = [
            (1, "o", method.path),
            (2, "s", method.interface),
            (MEMBER, "s", method.member),
            (6, "s", method.destination),
        ];
        for (code, kind, text) in names {
            fields.align(8);
            fields.0.push(code);
            fields.signature(kind);
            fields.text(text);
        }
        if !signature.is_empty() {
            fields.align(8);
            fields.0.push(SIGNATURE);
            fields.signature("g");
            fields.signature(signature);
        }
    });
    all.align(8);
    all.0.extend(&body.0);
    all.0
}
