//! Extended headers of pax(1): lines of `LENGTH KEY=VALUE`, whose values may be any bytes.
//!
//! The tar crate ends a record at its first newline, where file capabilities may have one.

use crate::error::{Error, Result, ensure};
use crate::sys::entries::Moment;

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// The records of an extended header, in their order.
pub fn records(mut text: &[u8]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    while !text.is_empty() {
        let (record, rest) = record(text).ok_or_else(wrong)?;
        records.push(record);
        text = rest;
    }
    Ok(records)
}

fn record(text: &[u8]) -> Option<(Record, &[u8])> {
    let space = text.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&text[..space])?).ok()?;
    let line = text.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    Some(((line[..equals].to_vec(), line[equals + 1..].to_vec()), &text[length..]))
}

/// The last record of this key: the one that counts. An empty value takes it back.
pub fn last<'a>(records: &'a [Record], key: &str) -> Option<&'a [u8]> {
    let mut found = records.iter().rev().filter(|record| record.0 == key.as_bytes());
    found.next().map(|record| &*record.1).filter(|value| !value.is_empty())
}

/// The number that `key` has.
pub fn last_number(records: &[Record], key: &str) -> Result<Option<u64>> {
    last(records, key).map(|value| number(value).ok_or_else(wrong)).transpose()
}

/// The moment that `key` has.
pub fn last_moment(records: &[Record], key: &str) -> Result<Option<Moment>> {
    last(records, key).map(|value| moment(value).ok_or_else(wrong)).transpose()
}

/// Digits and nothing else.
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// `-1.5` is half a second after -2.
fn moment(text: &[u8]) -> Option<Moment> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(number(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    // Nanoseconds: nine digits, and what is finer is cut.
    let digits: Vec<u8> = fraction.iter().copied().chain(*b"000000000").take(9).collect();
    let nanoseconds = i64::try_from(number(&digits)?).ok()?;
    ensure(fraction.iter().all(u8::is_ascii_digit), wrong).ok()?;
    Some(match (negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

fn wrong() -> Error {
    let problem = "an extended header is not made of records LENGTH KEY=VALUE with valid values";
    Error::config("archive", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_equals_signs() {
        assert_eq!(records(b"13 a=b\nc=d\0e\n").unwrap()[0].1, b"b\nc=d\0e");
        let twice = records(b"9 path=y\n9 path=x\n").unwrap();
        assert_eq!(last(&twice, "path"), Some(&b"x"[..]));
        assert_eq!(last(&records(b"9 path=y\n8 path=\n").unwrap(), "path"), None);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in [
            "x",
            "5 a=b",
            "6 a=b",
            "6 a=b\n\n",
            "5 a=b\n",
            "99999999999999999999999 a=b\n",
            "+6 a=b\n",
            "06a=b\n",
            "5 ab\n",
            "0 a=b\n",
            "1 a=b\n",
            "2 \n",
            " 6 a=b\n",
        ] {
            assert!(records(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn moments_have_fractions_and_signs() {
        for (text, expected) in [
            ("0", Some((0, 0))),
            ("1.5", Some((1, 500_000_000))),
            ("1.1234567891", Some((1, 123_456_789))),
            ("-1.5", Some((-2, 500_000_000))),
            ("-1", Some((-1, 0))),
            ("1.", Some((1, 0))),
            ("1.x", None),
            ("1.1234567890x", None),
            ("--1", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(moment(text.as_bytes()), expected, "{text:?}");
        }
    }
}
