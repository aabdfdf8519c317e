//! Numbers on the command line: sizes, counts, processors, seconds.
//!
//! Everything is integer arithmetic over the digits as typed: no rounding, no
//! sign where none makes sense, and an overflow is an error instead of a small
//! number. The errors are one sentence; clap puts flag and value before it.

/// A limit, or the word that lifts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `unlimited`
    Unlimited,
    /// The number.
    At(u64),
}

impl Limit {
    /// As the specification writes it: -1 lifts the limit.
    pub fn signed(self) -> i64 {
        match self {
            Self::Unlimited => -1,
            Self::At(number) => i64::try_from(number).unwrap_or(i64::MAX),
        }
    }

    /// As the files of cgroup2 write it: `max` lifts the limit.
    pub fn text(self) -> String {
        match self {
            Self::Unlimited => "max".into(),
            Self::At(number) => number.to_string(),
        }
    }
}

/// Units and how many bits each shifts. Powers of 1024, as in cgroup v2 and docker.
const UNITS: [(&[&str], u32); 5] = [
    (&["", "B"], 0),
    (&["K", "KB", "KIB"], 10),
    (&["M", "MB", "MIB"], 20),
    (&["G", "GB", "GIB"], 30),
    (&["T", "TB", "TIB"], 40),
];

/// A size in bytes: digits, then K, M, G or T (64M, 64MB and 64MiB are the same).
pub fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if digits.is_empty() {
        return Err("not a size: write a number and K, M, G or T, e.g. 64M".into());
    }
    if unit.starts_with(['.', ',']) {
        return Err("a size is a whole number: instead of 1.5G write 1536M".into());
    }
    let unit = unit.to_ascii_uppercase();
    let Some((_, shift)) = UNITS.iter().find(|(names, _)| names.contains(&&*unit)) else {
        return Err(format!("unknown unit {unit:?}: K, M, G and T are known (powers of 1024)"));
    };
    // config.json has signed 64-bit sizes.
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| "too large: the largest size is 8388607T".into())
}

/// A size that leaves room for something.
pub fn size_above_zero(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("nothing can run in 0 bytes: leave the flag out for no limit".into()),
        bytes => Ok(bytes),
    }
}

/// A size, or `unlimited`.
pub fn size_or_unlimited(text: &str) -> Result<Limit, String> {
    limit(text, size)
}

/// A count of 1 or more, or `unlimited`.
pub fn count_or_unlimited(text: &str) -> Result<Limit, String> {
    limit(text, |text| match number(text)? {
        0 => Err("at least 1 is needed: the command itself is a process".into()),
        count if i64::try_from(count).is_ok() => Ok(count),
        _ => Err("too large: write unlimited".into()),
    })
}

/// `unlimited`, or what `parse` makes of the text.
pub(super) fn limit(
    text: &str,
    parse: impl FnOnce(&str) -> Result<u64, String>,
) -> Result<Limit, String> {
    match text {
        "unlimited" => Ok(Limit::Unlimited),
        // docker's and ulimit(1)'s words, answered with ours.
        "-1" | "max" | "infinity" => Err("to lift the limit write unlimited".into()),
        _ => parse(text).map(Limit::At),
    }
}

/// Digits only: no sign, no space, no other base.
pub(super) fn number(text: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is not a whole number"));
    }
    text.parse().map_err(|_| format!("{text} is too large"))
}

/// The length of a period of cpu.max in microseconds: the kernel's default.
pub const CPU_PERIOD: u64 = 100_000;

/// Processors as microseconds of each [`CPU_PERIOD`]: 0.5 is 50000.
/// The kernel refuses less than 1000 (min_cfs_quota_period, kernel/sched/core.c).
pub fn cpus(text: &str) -> Result<u64, String> {
    let quota = decimal(text, 5).ok_or("not a number of processors: e.g. 0.5 or 2")?;
    if !(1000..=1_000_000 * CPU_PERIOD).contains(&quota) {
        return Err("between 0.01 and 1000000 processors".into());
    }
    Ok(quota)
}

/// `1.5` in units of 10^-places. None: not a decimal number, too many places, or too large.
pub(super) fn decimal(text: &str, places: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let width = u32::try_from(fraction.len()).ok().filter(|width| *width <= places)?;
    let scale = |digits: &str, power| number(digits).ok()?.checked_mul(10_u64.checked_pow(power)?);
    scale(whole, places)?.checked_add(scale(fraction, places - width)?)
}

/// A list of processors, `0-3,5` (the List Format of cpuset(7)), checked and unchanged.
pub fn cpu_list(text: &str) -> Result<String, String> {
    let good = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        matches!((number(first), number(last)), (Ok(first), Ok(last)) if first <= last && last < 1 << 20)
    };
    if text.split(',').all(good) {
        return Ok(text.into());
    }
    Err("not a list of processors: numbers and ranges with commas, e.g. 0-3,5".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_whatever_the_spelling() {
        for (text, bytes) in [
            ("0", 0),
            ("1", 1),
            ("4096b", 4096),
            ("64K", 65536),
            ("64kb", 65536),
            ("64KiB", 65536),
            ("64M", 64 << 20),
            ("64MB", 64 << 20),
            ("64mib", 64 << 20),
            ("1G", 1 << 30),
            ("8388607T", 8_388_607 << 40),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_wrong_size_says_what_would_be_right() {
        for (text, problem) in [
            ("", "not a size"),
            ("-1", "not a size"),
            ("+1", "not a size"),
            (" 1", "not a size"),
            ("M", "not a size"),
            ("unlimited", "not a size"),
            ("1.5G", "write 1536M"),
            ("64X", "unknown unit \"X\""),
            ("64 M", "unknown unit"),
            ("64MM", "unknown unit"),
            ("64iB", "unknown unit"),
            ("0x10", "unknown unit"),
            ("8388608T", "too large"),
            ("9223372036854775808", "too large"),
            ("18446744073709551617", "too large"),
            ("99999999999999999999T", "too large"),
        ] {
            let found = size(text);
            assert!(
                found.as_ref().is_err_and(|error| error.contains(problem)),
                "{text}: {found:?}"
            );
        }
        assert!(size_above_zero("0").is_err());
    }

    #[test]
    fn only_the_word_unlimited_lifts_a_limit() {
        assert_eq!(size_or_unlimited("unlimited"), Ok(Limit::Unlimited));
        assert_eq!(size_or_unlimited("0"), Ok(Limit::At(0)));
        assert_eq!(count_or_unlimited("100"), Ok(Limit::At(100)));
        for text in ["-1", "max", "infinity"] {
            let error = count_or_unlimited(text).unwrap_err();
            assert!(error.contains("unlimited"), "{error}");
        }
        for text in ["0", "", "-5", "1k", "9223372036854775808", "Unlimited"] {
            assert!(count_or_unlimited(text).is_err(), "{text}");
        }
    }

    #[test]
    fn processors_become_microseconds_of_a_period_without_rounding() {
        for (text, quota) in
            [("0.5", 50_000), ("2", 200_000), ("1.25", 125_000), ("0.01", 1000), ("0.00001", 0)]
        {
            match quota {
                0 => assert!(cpus(text).is_err(), "{text}"),
                _ => assert_eq!(cpus(text), Ok(quota), "{text}"),
            }
        }
        for text in ["", ".", ".5", "1.", "-1", "0", "1e3", "1,5", "0.123456", "1000001", "NaN"] {
            assert!(cpus(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_of_processors_are_numbers_and_rising_ranges() {
        for text in ["0", "0-3", "0-3,5", "7,1"] {
            assert_eq!(cpu_list(text).as_deref(), Ok(text));
        }
        for text in ["", ",", "0,", "3-1", "a", "0-", "-1", "0 1", "0-3\n", "99999999999"] {
            assert!(cpu_list(text).is_err(), "{text:?}");
        }
    }
}
