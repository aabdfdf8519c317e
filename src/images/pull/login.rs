//! Who we are: what `docker login` has left, and what a registry asks for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::name::Name;
use crate::error::{Error, Result, ensure};

/// What config.json knows of a registry.
#[derive(Default)]
pub struct Login {
    /// What `docker login` calls the registry.
    pub host: String,
    /// The value of an Authorization header. Never to be printed.
    pub basic: Option<String>,
    /// A program that knows more, and that jec does not run.
    pub helper: Option<String>,
}

/// The file that `docker login` writes.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct File {
    auths: BTreeMap<String, Auth>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

/// `user:password` in base64, as it will be sent.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: String,
}

impl Login {
    /// For a registry: from $DOCKER_CONFIG/config.json or ~/.docker/config.json, if there is one.
    pub fn find(name: &Name) -> Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|path| !path.is_empty());
        let directory = variable("DOCKER_CONFIG").map(PathBuf::from);
        let home = || variable("HOME").map(|home| PathBuf::from(home).join(".docker"));
        let none = Self { host: name.host.clone(), ..Self::default() };
        let Some(path) = directory.or_else(home).map(|path| path.join("config.json")) else {
            return Ok(none);
        };
        match std::fs::read(&path) {
            Ok(bytes) => Self::read(&path.display().to_string(), &bytes, name),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(none),
            Err(error) => Err(Error::config(path.display().to_string(), error.to_string())),
        }
    }

    fn read(path: &str, bytes: &[u8], name: &Name) -> Result<Self> {
        let wrong = |error: serde_json::Error| {
            // Nothing is quoted: it may be a password.
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::config(path, format!("{place}: not what `docker login` writes"))
        };
        let mut file: File = serde_json::from_slice(bytes).map_err(wrong)?;
        let host = name.login();
        let keys = ["", "https://", "http://"].map(|begin| format!("{begin}{host}"));
        let is_it = |key: &String| {
            let key = key.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2");
            keys.iter().any(|one| one == key)
        };
        let helper = file.cred_helpers.remove(host).or(file.creds_store);
        let auth = file.auths.into_iter().find(|(key, auth)| is_it(key) && !auth.auth.is_empty());
        let login = Self { host: name.host.clone(), basic: None, helper };
        let Some((key, auth)) = auth else { return Ok(login) };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        let problem = "is not user:password in base64: docker login once more";
        let whose = format!("{path}: auths.{key}.auth");
        ensure(auth.auth.bytes().all(letter), || Error::config(whose, problem))?;
        Ok(Self { basic: Some(format!("Basic {}", auth.auth)), ..login })
    }
}

/// What a registry wants to see before it answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User and password.
    Basic,
    /// What somebody else gives for them.
    Bearer {
        /// Who.
        realm: String,
        /// What to tell there.
        about: Vec<(String, String)>,
    },
}

impl Challenge {
    /// Out of a WWW-Authenticate header.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Some(Self::Basic),
            "bearer" => {
                let mut about = parameters(rest);
                let realm = about.iter().position(|(name, _)| name == "realm")?;
                let (_, realm) = about.swap_remove(realm);
                about.retain(|(name, _)| name == "service" || name == "scope");
                Some(Self::Bearer { realm, about })
            }
            _ => None,
        }
    }
}

/// `a="b",c="d,e"`
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let quoted = after.strip_prefix('"').and_then(|after| after.split_once('"'));
        let plain = || after.split_once(',').unwrap_or((after, ""));
        let (value, more) = quoted.unwrap_or_else(plain);
        found.push((name.trim().to_ascii_lowercase(), value.to_owned()));
        rest = more.trim_start_matches([',', ' ']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_whom_to_ask_and_what_for() {
        let header = r#"Bearer realm="https://a/t",service="r", scope="repository:x:pull,push""#;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let Some(Challenge::Bearer { realm, mut about }) = Challenge::parse(header) else {
            panic!("{header}")
        };
        about.sort();
        assert_eq!(realm, "https://a/t");
        assert_eq!(about, [pair("scope", "repository:x:pull,push"), pair("service", "r")]);
        assert_eq!(Challenge::parse("basic realm=\"x\""), Some(Challenge::Basic));
        for header in ["", "Bearer", "Bearer realm", "Digest realm=\"x\""] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }

    #[test]
    fn config_json_has_a_password_for_its_own_host_only() {
        let text = br#"{"auths": {"https://index.docker.io/v1/": {"auth": "YTpi"},
            "h:5000": {"auth": "Yzpk"}, "bad": {}}, "credHelpers": {"x.org": "pass"}}"#;
        let login = |word| Login::read("config.json", text, &Name::parse(word).unwrap()).unwrap();
        assert_eq!(login("busybox").basic.as_deref(), Some("Basic YTpi"));
        assert_eq!(login("h:5000/a").basic.as_deref(), Some("Basic Yzpk"));
        assert_eq!(login("h:5001/a").basic, None);
        assert_eq!(login("x.org/a").helper.as_deref(), Some("pass"));
        let bad = br#"{"auths": {"h:1": {"auth": "a\r\nX: y"}}}"#;
        let name = Name::parse("h:1/a").unwrap();
        let torn = br#"{"auths": {"h:1": "c2VjcmV0"}}"#;
        let said = Login::read("config.json", torn, &name).err().unwrap().to_string();
        assert!(!said.contains("c2V"), "{said}");
        assert!(Login::read("config.json", bad, &name).is_err());
    }
}
