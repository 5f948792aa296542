//! Where each room's Exchange is: at one URL, or wherever Autodiscover says that the room's mailbox lives (`finder.rs`). Keeps one
//! transport per URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer_budget::AnswerBudget;
use super::autodiscover::cache::Known;
use super::autodiscover::{self as quest, Answer, Cause};
use super::classify::Kind;
use super::delivery::Failure;
use super::dial::Dialer;
use super::finder::Finder;
use super::settings::{At, Settings, SettingsError};
use super::sign_in::Credentials;
use super::standing::{AUTODISCOVER, Standing};
use super::transport::Transport;
use crate::calendar::RoomAddress;

/// Servers of one site that are talked to. A directory that names more is not to be believed.
const SERVERS_MAX: usize = 64;

/// The ways to the servers of one connection.
pub(super) struct Places {
    settings: Settings,
    finder: Arc<Finder>,
    answers: AnswerBudget,
    transports: Mutex<HashMap<String, Arc<Transport>>>,
    site: Site,
}

enum Site {
    One(Arc<Transport>),
    /// Where the finder finds them.
    Many,
}

/// Why there is no way to a room's server.
#[derive(Clone)]
pub(super) enum NoWay {
    /// Until somebody mends it.
    Refused(Kind, String),
    /// Perhaps later.
    Away(Failure),
}

impl Places {
    pub(super) fn new(
        settings: &Settings,
        answers: AnswerBudget,
        standing: Arc<Standing>,
    ) -> Result<Self, SettingsError> {
        let dialer = Arc::new(Dialer::new(settings)?);
        let credentials = Credentials::new(settings, &dialer)?;
        let site = match &settings.at {
            At::Url(url) => Site::One(transport(settings, url, &credentials, &dialer, &answers)?),
            At::Discovered(_) => Site::Many,
        };
        let (settings, transports) = (settings.clone(), Mutex::default());
        let finder = Arc::new(Finder::new(&settings, credentials, dialer, standing));
        Ok(Self { settings, finder, answers, transports, site })
    }

    /// The way to the server where this room lives.
    pub(super) async fn of(&self, room: &str) -> Result<Arc<Transport>, NoWay> {
        if let Site::One(transport) = &self.site {
            return Ok(transport.clone());
        }
        let room: RoomAddress = room
            .parse()
            .map_err(|_| NoWay::Refused(Kind::NoMailbox, "what is asked for is no address".to_owned()))?;
        if self.finder.look(&room).is_none() {
            self.finder.find(&room).await?;
        }
        match self.finder.look(&room) {
            Some(known) => self.way(known),
            None => Err(NoWay::Away(Failure::NotFound("what was found is forgotten already".to_owned()))),
        }
    }

    /// The room's server says that the mailbox is not, or not for long, there. Whether it is worth asking where it went.
    pub(super) fn forget(&self, room: &str) -> bool {
        match (&self.site, room.parse()) {
            (Site::Many, Ok(room)) => self.finder.forget(&room),
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
            (Site::Many, _) => match self.finder.look(room)? {
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
        let Finder { credentials, dialer, .. } = &*self.finder;
        let new = transport(&self.settings, url, credentials, dialer, &self.answers);
        let new = new.map_err(|error| NoWay::Refused(Kind::NotFound, error.to_string()))?;
        transports.insert(url.to_owned(), new.clone());
        Ok(new)
    }

    /// Sends a question to an Autodiscover service.
    pub(super) async fn ask(&self, wanted: quest::Ask) -> Answer {
        self.finder.ask(wanted).await
    }
}

fn transport(
    settings: &Settings,
    url: &str,
    credentials: &Credentials,
    dialer: &Arc<Dialer>,
    answers: &AnswerBudget,
) -> Result<Arc<Transport>, SettingsError> {
    let credential = credentials.towards(url)?;
    Transport::new(settings, url, dialer.clone(), credential, answers.clone()).map(Arc::new)
}

pub(super) fn no_way(cause: Cause, headline: String) -> NoWay {
    match cause {
        Cause::Credentials => NoWay::Refused(Kind::Credentials, headline),
        Cause::MailboxUnknown => NoWay::Refused(Kind::NoMailbox, headline),
        Cause::Unconfirmed | Cause::Redirects | Cause::Malformed | Cause::NoService => {
            NoWay::Refused(Kind::NotFound, headline)
        }
        Cause::ServerTrouble | Cause::Network => NoWay::Away(Failure::NotFound(headline)),
    }
}

/// Nothing panics while holding one; if it did, what is in it would still be so.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
