//! Where each room's Exchange is: at one URL, or wherever Autodiscover says that the room's mailbox lives. Keeps one transport
//! per URL, and one word for what is known of each room; forgets it when a mailbox has moved.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as Turn;

use super::ask::{Ask, Asker};
use super::autodiscover::cache::{Cache, Known};
use super::autodiscover::{self as quest, Answer, BODY_BYTES_MAX, Cause, Policy, Quest, discover};
use super::classify::Kind;
use super::delivery::Failure;
use super::dial::Dialer;
use super::settings::{At, Settings, SettingsError};
use super::sign_in::Credentials;
use super::standing::AUTODISCOVER;
use super::transport::Transport;
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock};

/// Servers of one site that are talked to. A directory that names more is not to be believed.
const SERVERS_MAX: usize = 64;

/// The ways to the servers of one connection.
pub(super) struct Places {
    settings: Settings,
    credentials: Credentials,
    dialer: Arc<Dialer>,
    body_bytes_max: usize,
    transports: Mutex<HashMap<String, Arc<Transport>>>,
    site: Site,
}

enum Site {
    One(Arc<Transport>),
    Many {
        policy: Policy,
        known: Mutex<Cache>,
        /// One quest at a time: a sweep that begins must not ask for a thousand rooms at once.
        looking: Turn<()>,
    },
}

/// Why there is no way to a room's server.
pub(super) enum NoWay {
    /// Until somebody mends it.
    Refused(Kind, String),
    /// So many hosts that were told who we are did not accept it just now.
    Denied { kind: Kind, why: String, hosts: u32 },
    /// Perhaps later.
    Away(Failure),
}

impl Places {
    pub(super) fn new(settings: &Settings, body_bytes_max: usize) -> Result<Self, SettingsError> {
        let dialer = Arc::new(Dialer::new(settings)?);
        let credentials = Credentials::new(settings, &dialer)?;
        let site = match &settings.at {
            At::Url(url) => Site::One(transport(settings, url, &credentials, &dialer, body_bytes_max)?),
            At::Discovered(policy) => {
                let (known, looking) = (Mutex::default(), Turn::default());
                Site::Many { policy: policy.clone(), known, looking }
            }
        };
        let (settings, transports) = (settings.clone(), Mutex::default());
        Ok(Self { settings, credentials, dialer, body_bytes_max, transports, site })
    }

    /// The way to the server where this room lives.
    pub(super) async fn of(&self, room: &str) -> Result<Arc<Transport>, NoWay> {
        let (policy, known, looking) = match &self.site {
            Site::One(transport) => return Ok(transport.clone()),
            Site::Many { policy, known, looking } => (policy, known, looking),
        };
        let room: RoomAddress = room
            .parse()
            .map_err(|_| NoWay::Refused(Kind::NoMailbox, "what is asked for is no address".to_owned()))?;
        if let Some(known) = look(known, &room) {
            return self.way(known);
        }
        let _turn = looking.lock().await;
        if let Some(known) = look(known, &room) {
            return self.way(known); // found while we waited
        }
        let found = discover(Quest::new(&room, policy), |ask| self.ask(ask)).await;
        let now = SystemClock.now();
        match found {
            Ok(found) => lock(known).found(&room, found.url, now),
            Err(report) => {
                tracing::warn!(room = room.as_str(), cause = ?report.cause(), "{}", report.headline());
                lock(known).failed(&room, &report, now);
                if let hosts @ 1.. = report.refused_by() {
                    let why = report.headline();
                    return Err(match no_way(report.cause(), why) {
                        NoWay::Refused(kind, why) => NoWay::Denied { kind, why, hosts },
                        other => other,
                    });
                }
            }
        }
        match look(known, &room) {
            Some(known) => self.way(known),
            None => Err(NoWay::Away(Failure::NotFound("what was found is forgotten already".to_owned()))),
        }
    }

    /// The room's server says that the mailbox is not, or not for long, there. Whether it is worth asking where it went.
    pub(super) fn forget(&self, room: &str) -> bool {
        match (&self.site, room.parse()) {
            (Site::Many { known, .. }, Ok(room)) => {
                let was_there = matches!(look(known, &room), Some(Known::At(_)));
                if was_there {
                    lock(known).forget(&room);
                }
                was_there
            }
            _ => false,
        }
    }

    /// What is asked for this room next: its server by URL, or Autodiscover while that is not known.
    pub(super) fn server(&self, room: &str) -> String {
        let known = room.parse().ok().and_then(|room| self.url(&room));
        known.unwrap_or_else(|| AUTODISCOVER.to_owned())
    }

    /// Where this room's server was found, if it was.
    pub(super) fn url(&self, room: &RoomAddress) -> Option<String> {
        match (&self.site, &self.settings.at) {
            (Site::Many { known, .. }, _) => match look(known, room)? {
                Known::At(url) => Some(url.as_str().to_owned()),
                Known::NotFound { .. } => None,
            },
            (Site::One(_), At::Url(url)) => Some(url.clone()),
            (Site::One(_), At::Discovered(_)) => None,
        }
    }

    fn way(&self, known: Known) -> Result<Arc<Transport>, NoWay> {
        match known {
            Known::At(url) => self.transport(url.as_str()),
            Known::NotFound { cause, headline } => Err(no_way(cause, headline)),
        }
    }

    fn transport(&self, url: &str) -> Result<Arc<Transport>, NoWay> {
        let mut transports = lock(&self.transports);
        if let Some(transport) = transports.get(url) {
            return Ok(transport.clone());
        }
        if transports.len() >= SERVERS_MAX {
            transports.clear(); // connections in use live on in who uses them
        }
        let new = transport(&self.settings, url, &self.credentials, &self.dialer, self.body_bytes_max);
        let new = new.map_err(|error| NoWay::Refused(Kind::NotFound, error.to_string()))?;
        transports.insert(url.to_owned(), new.clone());
        Ok(new)
    }

    /// Sends a question to an Autodiscover service.
    pub(super) async fn ask(&self, wanted: quest::Ask) -> Answer {
        let asker =
            Asker { dialer: self.dialer.clone(), within: self.settings.connect_timeout.saturating_mul(2) };
        let credential = match wanted.credentials.then(|| self.credentials.towards(&wanted.url)).transpose() {
            Ok(credential) => credential,
            Err(error) => return Answer::Broken(error.to_string()),
        };
        let Some(ask) = Ask::of(&wanted) else {
            return Answer::Broken("the question cannot be written".to_owned());
        };
        match asker.ask_as(&ask, credential.as_deref()).await {
            Ok(said) => Answer::Came {
                status: said.status,
                location: said.location(),
                body: said.body[..said.body.len().min(BODY_BYTES_MAX)].to_vec(),
            },
            Err(
                failure @ (Failure::Resolve(_)
                | Failure::Connect(_)
                | Failure::Tls(..)
                | Failure::ConnectTimeout(_)),
            ) => Answer::Unreachable(failure.to_string()),
            Err(Failure::SignIn { lasting: true, why, .. }) => Answer::NotSignedIn(why),
            Err(failure) => Answer::Broken(failure.to_string()),
        }
    }
}

fn transport(
    settings: &Settings,
    url: &str,
    credentials: &Credentials,
    dialer: &Arc<Dialer>,
    body_bytes_max: usize,
) -> Result<Arc<Transport>, SettingsError> {
    let credential = credentials.towards(url)?;
    Transport::new(settings, url, dialer.clone(), credential, body_bytes_max).map(Arc::new)
}

fn no_way(cause: Cause, headline: String) -> NoWay {
    match cause {
        Cause::Credentials => NoWay::Refused(Kind::Credentials, headline),
        Cause::MailboxUnknown => NoWay::Refused(Kind::NoMailbox, headline),
        Cause::Unconfirmed | Cause::Redirects | Cause::Malformed | Cause::NoService => {
            NoWay::Refused(Kind::NotFound, headline)
        }
        Cause::ServerTrouble | Cause::Network => NoWay::Away(Failure::NotFound(headline)),
    }
}

fn look(known: &Mutex<Cache>, room: &RoomAddress) -> Option<Known> {
    lock(known).look(room, SystemClock.now()).cloned()
}

/// Nothing panics while holding one; if it did, what is in it would still be so.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
