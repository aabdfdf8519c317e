//! Questions to one registry: who we are, redirections, other tries.
//!
//! A password goes to the registry it was given for and to whom that registry names for tokens,
//! never to where a redirection leads, and never into a message.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use ureq::http::header::{AUTHORIZATION, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::advice::{Failed, refused, unreachable};
use super::login::{Challenge, Login};
use super::name::{Name, is_local};
use crate::error::{Error, Result};
use crate::images::source::Access;
#[cfg(target_env = "gnu")]
use crate::sys::hosts;

/// As long as a server may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest way from the registry to where it keeps its blobs.
const REDIRECTS: usize = 5;

/// Where distributions keep whom they trust.
const TRUSTED: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// An answer whose body has not been read.
pub type Answer = Response<Body>;

/// What is asked for.
pub struct Question<'a> {
    /// Behind the name of the registry.
    pub path: &'a str,
    /// The media types that will do.
    pub accept: &'a str,
    /// The first byte.
    pub from: u64,
}

/// A registry.
pub struct Client {
    agent: Agent,
    name: Name,
    base: String,
    plain: bool,
    login: Login,
    /// The Authorization header that was accepted last.
    given: Mutex<Option<String>>,
}

impl Client {
    /// Finds out how to speak to the registry of an image.
    pub fn new(name: &Name, access: &Access) -> Result<Self> {
        #[cfg(target_env = "gnu")]
        hosts::only_files_and_dns();
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(trusted(access)?).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("jec/", env!("CARGO_PKG_VERSION")));
        let is_here = is_local(name.server());
        // No proxy knows the way to our own loopback.
        let config = if is_here { config.proxy(None) } else { config };
        let mut client = Self {
            agent: config.build().into(),
            name: name.clone(),
            base: format!("https://{}", name.server()),
            plain: access.plain_http,
            login: Login::find(name)?,
            given: Mutex::new(None),
        };
        if access.plain_http || (is_here && client.speaks_no_tls()) {
            client.base = format!("http://{}", name.server());
        }
        Ok(client)
    }

    /// As for Docker, a registry on this machine may do without TLS; a certificate that is not
    /// trusted is an answer all the same.
    fn speaks_no_tls(&self) -> bool {
        let answer = self.agent.get(format!("{}/v2/", self.base)).call();
        answer.is_err_and(|error| match error {
            ureq::Error::Io(error) => {
                error.kind() != std::io::ErrorKind::ConnectionRefused
                    && !error.to_string().contains("certificate")
            }
            ureq::Error::Rustls(error) => !error.to_string().contains("certificate"),
            _ => false,
        })
    }

    /// The address of something there.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What the image is called.
    pub fn name(&self) -> String {
        self.name.short()
    }

    /// Asks once, and once more with what the registry wants to see.
    pub fn ask(&self, question: &Question) -> Result<Answer, Failed> {
        let (mut answer, url) = self.follow(question)?;
        // Of those to whom we were sent on, nobody gets to see anything.
        let is_asked = answer.status() == StatusCode::UNAUTHORIZED && origin(&url) == self.base;
        if is_asked && self.introduce(&answer)? {
            (answer, _) = self.follow(question)?;
        }
        if matches!(answer.status().as_u16(), 200 | 206) {
            return Ok(answer);
        }
        Err(self.refusal(&self.url(question.path), &answer))
    }

    fn refusal(&self, url: &str, answer: &Answer) -> Failed {
        let wait = header(answer, &RETRY_AFTER).parse().ok().map(Duration::from_secs);
        refused((&self.name(), &shown(url)), answer.status().as_u16(), wait, &self.login)
    }

    /// The last answer of a chain of redirections, and where it came from.
    fn follow(&self, question: &Question) -> Result<(Answer, String), Failed> {
        let mut url = self.url(question.path);
        for _ in 0..REDIRECTS {
            let mut call = self.agent.get(&url).header("Accept", question.accept);
            if question.from > 0 {
                call = call.header("Range", format!("bytes={}-", question.from));
            }
            if let Some(given) = self.given().filter(|_| origin(&url) == self.base) {
                call = call.header(AUTHORIZATION, given);
            }
            let answer = call.call().map_err(|error| unreachable(&self.name(), &url, &error))?;
            let next = header(&answer, &LOCATION);
            if !answer.status().is_redirection() || next.is_empty() {
                return Ok((answer, url));
            }
            let next =
                if next.starts_with('/') { format!("{}{next}", origin(&url)) } else { next.into() };
            self.check_scheme(&next)?;
            url = next;
        }
        let problem = format!("{}: more than {REDIRECTS} redirections", self.url(question.path));
        Err(Failed::ever(Error::config(self.name(), problem)))
    }

    fn given(&self) -> Option<String> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever sends us elsewhere does not talk us out of TLS, nor into what listens on loopback.
    fn check_scheme(&self, url: &str) -> Result<(), Failed> {
        let begin = origin(url);
        let host = begin.split_once("://").map_or("", |(_, host)| host);
        let both_plain = [begin, &self.base].iter().all(|url| url.starts_with("http://"));
        let is_plain = both_plain && (self.plain || is_local(host));
        if !host.contains('@') && (begin.starts_with("https://") || is_plain) {
            return Ok(());
        }
        let problem = format!("the registry leads to {begin}, where nobody proves who he is");
        Err(Failed::ever(Error::config(self.name(), problem)))
    }

    /// Gets what opens the door; false if nothing more can be shown.
    fn introduce(&self, answer: &Answer) -> Result<bool, Failed> {
        let headers = answer.headers().get_all(WWW_AUTHENTICATE);
        let mut wanted =
            headers.iter().filter_map(|header| Challenge::parse(header.to_str().ok()?));
        let header = match wanted.next() {
            Some(Challenge::Basic) => self.login.basic.clone(),
            Some(Challenge::Bearer { realm, about }) => Some(self.token(&realm, &about)?),
            None => None,
        };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        *given = header;
        Ok(given.is_some())
    }

    fn token(&self, realm: &str, about: &[(String, String)]) -> Result<String, Failed> {
        #[derive(Deserialize)]
        struct Token {
            #[serde(alias = "access_token")]
            token: String,
        }
        self.check_scheme(realm)?;
        let mut call = self.agent.get(realm);
        for (name, value) in about {
            call = call.query(name, value);
        }
        if let Some(basic) = &self.login.basic {
            call = call.header(AUTHORIZATION, basic);
        }
        let name = self.name();
        let mut answer = call.call().map_err(|error| unreachable(&name, realm, &error))?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(realm, &answer));
        }
        let text = answer.body_mut().with_config().limit(1 << 20).read_to_string();
        let text = text.map_err(|error| unreachable(&name, realm, &error))?;
        // What is in there is a secret: the error does not quote it.
        let problem = format!("{}: answers with no token", shown(realm));
        let token: Token =
            serde_json::from_str(&text).map_err(|_| Failed::ever(Error::config(name, problem)))?;
        Ok(format!("Bearer {}", token.token))
    }
}

/// A header that is there, and text.
pub fn header<'a>(answer: &'a Answer, name: &HeaderName) -> &'a str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    &url[..end]
}

/// An address without what may be a secret: signatures stand in the query.
pub fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().into()
}

/// Who may vouch for a registry: FILE alone, or whom the distribution trusts, or else Mozilla.
fn trusted(access: &Access) -> Result<RootCerts> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let named = access.ca.clone().or(named.map(Into::into));
    let Some(path) = named
        .clone()
        .or_else(|| TRUSTED.iter().map(Into::into).find(|path: &std::path::PathBuf| path.exists()))
    else {
        return Ok(RootCerts::WebPki);
    };
    let wrong = |problem: String| Error::config(path.display().to_string(), problem);
    let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(wrong("has no certificate in PEM form: openssl x509 -in FILE -text".into()));
    }
    Ok(certificates.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(shown("https://h/a?sig=secret#x"), "https://h/a");
        assert_eq!(origin("https://h:5/a/b"), "https://h:5");
        assert_eq!(origin("https://h?x"), "https://h");
        assert_eq!(origin("https://h.evil@h"), "https://h.evil@h");
    }
}
