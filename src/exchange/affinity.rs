//! Staying with one back end: what it remembers between requests (subscriptions) no other one knows. Exchange names it in a
//! cookie, which goes along from then on ("Maintain affinity between a group of subscriptions and the Mailbox server").

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, header};

use crate::calendar::RoomAddress;

const COOKIE: &str = "X-BackEndOverrideCookie";
/// Longest value that is believed; Exchange's has about a hundred characters.
const VALUE_MAX: usize = 1024;

/// The requests of one group of rooms.
#[derive(Debug)]
pub(super) struct Affinity {
    anchor: RoomAddress,
    cookie: Mutex<Option<HeaderValue>>,
}

impl Affinity {
    /// A group that goes where the first of its rooms, by address, lives.
    pub(super) fn new(anchor: RoomAddress) -> Self {
        Self { anchor, cookie: Mutex::default() }
    }

    /// For `X-AnchorMailbox`, in all requests of the group.
    pub(super) fn anchor(&self) -> &RoomAddress {
        &self.anchor
    }

    /// For the `Cookie` header.
    pub(super) fn cookie(&self) -> Option<HeaderValue> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Learns from an answer which back end it came from.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        let set = headers.get_all(header::SET_COOKIE).iter().filter_map(|set| set.to_str().ok());
        let mut ours = set.filter_map(|set| {
            let (name, rest) = set.split_once('=')?;
            let value = rest.split(';').next().unwrap_or_default().trim();
            let fits = name.trim() == COOKIE && !value.is_empty() && value.len() <= VALUE_MAX;
            fits.then(|| HeaderValue::from_str(&format!("{COOKIE}={value}")).ok())?
        });
        if let Some(cookie) = ours.next_back() {
            *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some(cookie);
        }
    }

    /// Goes wherever it is sent next.
    pub(super) fn leave(&self) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stays with the back end that is the group's now.
    pub(super) fn same(&self) -> Self {
        Self { anchor: self.anchor.clone(), cookie: Mutex::new(self.cookie()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_end_is_learnt_and_nothing_else() {
        let affinity = Affinity::new("a@example.com".parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("exchangecookie=abc; path=/; HttpOnly"));
        affinity.learn(&headers);
        assert_eq!(affinity.cookie(), None);
        let set =
            HeaderValue::from_static("X-BackEndOverrideCookie=srv1~123; expires=Fri; path=/EWS; secure");
        headers.append(header::SET_COOKIE, set);
        affinity.learn(&headers);
        assert_eq!(affinity.cookie().unwrap(), "X-BackEndOverrideCookie=srv1~123");
        affinity.learn(&HeaderMap::new());
        assert!(affinity.cookie().is_some());
        let same = affinity.same();
        affinity.leave();
        assert!(same.cookie().is_some() && affinity.cookie().is_none());
    }
}
