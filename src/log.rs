//! What jec has to say besides the program: on standard error, and with `--log` in a
//! file, whose last line an engine shows to its user.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::cli::{Global, LogFormat};
use crate::error::{Error, Result};

static LOG: OnceLock<(PathBuf, LogFormat)> = OnceLock::new();

/// Makes the log file, if one was asked for. It does not stay open: the next
/// descriptor may be one that the container is to have (`--preserve-fds`).
pub fn open(global: &Global) -> Result<()> {
    let Some(path) = global.log.as_deref().filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(());
    };
    let made = std::path::absolute(path).and_then(|path| append(&path).map(|_| path));
    let wrong = |error| Error::config("--log", format!("{}: {error}", path.display()));
    let path = made.map_err(wrong)?;
    LOG.get_or_init(|| (path, global.log_format));
    Ok(())
}

/// Whether there is a log file: whoever asks for one is most likely an engine.
pub fn is_open() -> bool {
    LOG.get().is_some()
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Something that the user should know: a line on standard error.
pub fn warn(text: &str) {
    write("warning", text);
}

/// Why the command fails.
pub fn error(text: &str) {
    write("error", text);
}

fn write(level: &str, text: &str) {
    // A reader that went away costs the message, nothing else.
    drop(io::stderr().write_all(format!("jec: {text}\n").as_bytes()));
    let Some((path, format)) = LOG.get() else {
        return;
    };
    let time = now();
    let line = match format {
        LogFormat::Json => json!({"level": level, "msg": text, "time": time}).to_string(),
        LogFormat::Text => format!("time={time:?} level={level} msg={text:?}"),
    };
    drop(append(path).and_then(|mut log| log.write_all(format!("{line}\n").as_bytes())));
}

/// The time as RFC 3339 writes it, in UTC.
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_secs(), since.subsec_nanos())
}

/// Years here begin in March, so that the leap day is the last one; 400 of them have 146,097 days.
fn rfc3339(seconds: u64, nanoseconds: u32) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, late) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + late;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn seconds_become_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000000007Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000007Z"),
        ] {
            assert_eq!(rfc3339(seconds, 7), expected);
        }
    }
}
