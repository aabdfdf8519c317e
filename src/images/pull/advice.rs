//! What usually keeps an image from coming, and the command that confirms it.

use std::io::ErrorKind;
use std::time::Duration;

use super::http::shown;
use super::login::Login;
use crate::error::Error;

/// The longest that a registry may make us wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses between tries.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Why something did not come.
#[derive(Debug)]
pub struct Failed {
    /// For the user.
    pub error: Error,
    /// How long to wait at least before another try; none: it would fail as well.
    pub again: Option<Duration>,
    /// What the registry said, 0 if nothing.
    pub status: u16,
    /// Something came before that.
    pub progress: bool,
}

impl Failed {
    /// It will fail as often as it is tried.
    pub fn ever(error: Error) -> Self {
        Self { error, again: None, status: 0, progress: false }
    }

    /// Another try may help.
    pub fn now(error: Error) -> Self {
        Self { again: Some(Duration::ZERO), ..Self::ever(error) }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::ever(error)
    }
}

/// Tries a few times. Whatever brings something forward gets all its tries anew.
pub fn tries<T>(mut work: impl FnMut() -> Result<T, Failed>) -> Result<T, Error> {
    let mut pauses = PAUSES.iter();
    loop {
        let failed = match work() {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        if failed.progress {
            pauses = PAUSES.iter();
        }
        match (failed.again, pauses.next()) {
            (Some(least), Some(pause)) => std::thread::sleep(least.max(*pause)),
            _ => return Err(failed.error),
        }
    }
}

/// Status, cause.
const CAUSES: &[(u16, &str)] = &[
    (401, "the registry does not know this user, or the password: docker login HOST"),
    (403, "this user, or nobody in particular, may not read this repository: docker login HOST"),
    (404, "no such image or tag there, or one that only its owner may see"),
    (416, "the blob is shorter than its manifest says: the registry is damaged"),
    (
        429,
        "the registry has had enough of this address for now: come again later, or docker login HOST",
    ),
    (500, "the registry itself fails, on every try: its log knows why"),
    (502, "what stands before the registry does not reach it"),
    (503, "the registry is overloaded, or being maintained"),
    (504, "what stands before the registry does not reach it in time"),
];

/// The error of an answer that is none. `of` is the image and the address.
pub fn refused(of: (&str, &str), status: u16, wait: Option<Duration>, login: &Login) -> Failed {
    let (name, url) = of;
    let cause =
        CAUSES.iter().find(|row| row.0 == status).map_or("no registry answers so", |row| row.1);
    let mut cause = cause.replace("HOST", &login.host);
    if let (401 | 403, Some(helper)) = (status, &login.helper) {
        cause = format!(
            "the password is kept by docker-credential-{helper}, which jec does not run: \
            put it into config.json (auths) by docker login without credsStore"
        );
    }
    let seconds = wait.filter(|wait| *wait > LONGEST).map(|wait| wait.as_secs());
    let wish = seconds.map_or(String::new(), |seconds| format!(", again in {seconds} s"));
    let again = matches!(status, 429 | 500 | 502..=504) && seconds.is_none();
    Failed {
        error: explained(name, &format!("{url}: status {status}{wish}"), &cause, url),
        again: again.then(|| wait.unwrap_or_default()),
        status,
        progress: false,
    }
}

/// The error of an answer that never came.
pub fn unreachable(name: &str, url: &str, error: &ureq::Error) -> Failed {
    let text = error.to_string().replace(url, &shown(url));
    let (url, mut again) = (shown(url), true);
    let cause = match error {
        _ if text.contains("lookup") || matches!(error, ureq::Error::HostNotFound) => {
            again = false;
            "no machine of this name, or no network"
        }
        ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
            again = false;
            "nothing listens there, or a firewall says so"
        }
        _ if text.contains("certificate") => {
            again = false;
            "the certificate is signed by nobody you trust, or for another name: --ca FILE names who \
                signs your own ones"
        }
        _ if is_no_tls(&text) => {
            again = false;
            "it speaks no TLS; --plain-http would do without, and everybody on the way could listen"
        }
        ureq::Error::Timeout(_) => "it is silent",
        _ => "the connection was cut",
    };
    let error = explained(name, &format!("{url}: {text}"), cause, &url);
    if again { Failed::now(error) } else { Failed::ever(error) }
}

fn is_no_tls(text: &str) -> bool {
    ["InvalidContentType", "corrupt message", "InvalidMessage"]
        .iter()
        .any(|word| text.contains(word))
}

/// What, why, and how to see that.
pub fn explained(name: &str, problem: &str, cause: &str, url: &str) -> Error {
    Error::config(name, format!("{problem}\n  likely: {cause}\n  check:  curl -I {url}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_tried_again_and_not_for_ever() {
        let mut count = 0;
        let error = || Error::config("a", "b");
        let result: Result<(), _> = tries(|| {
            count += 1;
            Err(Failed::ever(error()))
        });
        assert_eq!((result, count), (Err(error()), 1));
        let login = Login::default();
        let of = ("a", "http://x");
        let again = |status, wait: u64| {
            refused(of, status, Some(Duration::from_secs(wait)), &login).again.is_some()
        };
        assert!(again(429, 60) && again(500, 0) && again(503, 1));
        assert!(!again(429, 61) && !again(404, 0) && !again(401, 0) && !again(501, 0));
    }
}
