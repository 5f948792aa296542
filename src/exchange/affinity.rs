//! Session affinity: a subscription exists on one back end only. Exchange and load balancers name that back end in
//! cookies (`X-BackEndOverrideCookie`, `exchangecookie`, others), and every later request of the group returns all of
//! them ("Maintain affinity between a group of subscriptions and the Mailbox server"). Sends no request.
//!
//! A cookie stays in use after its expiry: a stream lasts longer than some cookies, and a server ignores stale ones. A cookie
//! that the server deletes (`Max-Age=0`, an `Expires` in the past) is deleted.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};

use crate::calendar::RoomAddress;
use crate::http::field::parse_date;

/// Cookies that are kept; Exchange sets two to four, and a load balancer one.
const COOKIES_MAX: usize = 16;
/// Longest name and value that are accepted; Exchange's have up to a few hundred characters.
const COOKIE_BYTES_MAX: usize = 2048;
/// Longest `Cookie` header that is sent: some servers reject a request head of 8 KiB, most one of 16 KiB.
const FIELD_BYTES_MAX: usize = 4096;
/// Path of EWS on every Exchange; IIS ignores case.
const EWS_PATH: &str = "/ews/exchange.asmx";

/// Anchor mailbox and cookies of the requests of one group of rooms.
#[derive(Debug)]
pub(super) struct Affinity {
    anchor: RoomAddress,
    cookies: Mutex<Vec<Cookie>>,
}

/// One cookie. Its value may open a session, so it is never printed.
#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

impl Affinity {
    /// A group whose requests are routed to this room's back end.
    pub(super) fn new(anchor: RoomAddress) -> Self {
        Self { anchor, cookies: Mutex::default() }
    }

    /// For `X-AnchorMailbox`, in all requests of the group.
    pub(super) fn anchor(&self) -> &RoomAddress {
        &self.anchor
    }

    /// For the `Cookie` header.
    pub(super) fn cookie(&self) -> Option<HeaderValue> {
        let mut field = String::new();
        for Cookie { name, value } in self.cookies().iter() {
            let separator = if field.is_empty() { "" } else { "; " };
            if field.len() + separator.len() + name.len() + 1 + value.len() <= FIELD_BYTES_MAX {
                field.push_str(separator);
                field.push_str(name);
                field.push('=');
                field.push_str(value);
            }
        }
        let mut field = HeaderValue::from_str(&field).ok().filter(|field| !field.is_empty())?;
        field.set_sensitive(true);
        Some(field)
    }

    /// Updates the cookies from a response's `Set-Cookie` headers.
    pub(super) fn learn(&self, headers: &HeaderMap, now: DateTime<Utc>) {
        let set = headers.get_all(header::SET_COOKIE).iter().filter_map(|set| set.to_str().ok());
        let mut cookies = self.cookies();
        for (cookie, is_deleted) in set.filter_map(|set| parse_set_cookie(set, now)) {
            let known = cookies.iter().position(|known| known.name == cookie.name);
            match known {
                Some(at) if is_deleted => drop(cookies.remove(at)),
                Some(at) => cookies[at].value = cookie.value,
                None if !is_deleted && cookies.len() < COOKIES_MAX => cookies.push(cookie),
                None => {}
            }
        }
    }

    /// Drops the cookies: the next request may reach any back end.
    pub(super) fn clear(&self) {
        self.cookies().clear();
    }

    /// A copy that stays with the current back end.
    pub(super) fn duplicate(&self) -> Self {
        Self { anchor: self.anchor.clone(), cookies: Mutex::new(self.cookies().clone()) }
    }

    fn cookies(&self) -> MutexGuard<'_, Vec<Cookie>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `Set-Cookie` (RFC 6265, section 5.2) that concerns EWS, and whether it deletes the cookie.
fn parse_set_cookie(set: &str, now: DateTime<Utc>) -> Option<(Cookie, bool)> {
    let mut parts = set.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let fits = !name.is_empty() && name.len() + value.len() <= COOKIE_BYTES_MAX;
    let is_clean = |text: &str| text.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b',');
    if !fits || !is_clean(name) || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let (mut is_over, mut age, mut is_ours) = (false, None, true);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "expires" => is_over = parse_date(value, now).is_some_and(|end| end <= now),
            "max-age" => age = value.trim().parse::<i64>().ok(),
            "path" => is_ours = path_covers_ews(value.trim()),
            _ => {}
        }
    }
    // Where both are given, `Max-Age` counts (section 5.3).
    let is_deleted = age.map_or(is_over, |age| age <= 0) || value.is_empty();
    is_ours.then(|| (Cookie { name: name.to_owned(), value: value.to_owned() }, is_deleted))
}

/// Whether a cookie path covers EWS (section 5.1.4). An invalid path counts as absent.
fn path_covers_ews(path: &str) -> bool {
    if !path.starts_with('/') {
        return true;
    }
    let path = path.to_ascii_lowercase();
    match EWS_PATH.strip_prefix(path.as_str()) {
        Some(rest) => rest.is_empty() || path.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-29T08:00:00Z".parse().unwrap()
    }

    fn learn(affinity: &Affinity, set: &[&str]) -> String {
        let set = set.iter().map(|set| (header::SET_COOKIE, HeaderValue::from_str(set).unwrap()));
        affinity.learn(&set.collect(), now());
        affinity.cookie().map_or(String::new(), |cookie| cookie.to_str().unwrap().to_owned())
    }

    fn affinity() -> Affinity {
        Affinity::new("a@example.com".parse().unwrap())
    }

    #[test]
    fn every_cookie_is_kept_in_its_last_value() {
        let affinity = affinity();
        assert_eq!(learn(&affinity, &["exchangecookie=abc; path=/; HttpOnly"]), "exchangecookie=abc");
        let set =
            ["X-BackEndOverrideCookie=srv1~123; expires=Fri; path=/EWS; secure", "lb=\"n 1\"; Path=/ews/"];
        let all = "exchangecookie=abc; X-BackEndOverrideCookie=srv1~123; lb=\"n 1\"";
        assert_eq!(learn(&affinity, &set), all);
        assert_eq!(learn(&affinity, &[]), all);
        assert_eq!(learn(&affinity, &["exchangecookie=def"]), all.replace("abc", "def"));
        let same = affinity.duplicate();
        affinity.clear();
        assert!(same.cookie().is_some() && affinity.cookie().is_none());
        assert!(!format!("{same:?}").contains("srv1"), "a cookie may open a session");
    }

    #[test]
    fn a_cookie_that_the_server_deletes_is_deleted_and_others_paths_are_not_ours() {
        let gone = [
            "a=1; Max-Age=0",
            "a=1; max-age=-5; expires=Fri, 01-Jan-2100 00:00:00 GMT",
            "a=; path=/",
            "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "a=1; expires=Thu, 01-Jan-1970 00:00:00 GMT",
        ];
        for set in gone {
            let affinity = affinity();
            assert_eq!(learn(&affinity, &["a=0", "b=2"]), "a=0; b=2");
            assert_eq!(learn(&affinity, &[set]), "b=2", "{set}");
        }
        let kept = [
            "a=1; Expires=Sun, 29 Nov 2026 08:00:01 GMT",
            "a=1; max-age=1; expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ];
        for set in kept {
            assert_eq!(learn(&affinity(), &[set]), "a=1", "{set}");
        }
        for (path, ours) in
            [("/", true), ("/ews", true), ("/EWS/", true), ("x", true), ("/owa", false), ("/ew", false)]
        {
            assert_eq!(learn(&affinity(), &[&format!("a=1; path={path}")]) == "a=1", ours, "{path}");
        }
    }

    #[test]
    fn cookies_have_limits() {
        let affinity = affinity();
        let many: Vec<String> = (0..1_000).map(|n| format!("c{n}={}", "x".repeat(1_000))).collect();
        let sent = learn(&affinity, &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(sent.len() <= FIELD_BYTES_MAX && affinity.cookies().len() == COOKIES_MAX);
        let huge = format!("big={}", "x".repeat(COOKIE_BYTES_MAX));
        for odd in ["", "nothing", "=x", "a b=c", huge.as_str()] {
            assert_eq!(learn(&super::tests::affinity(), &[odd]), "", "{odd}");
        }
    }
}
