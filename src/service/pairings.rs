//! Pairings of door displays that wait for an operator: a display shows a six-digit code, and an operator enters it. In memory only, so a
//! restart ends them and the displays show new codes. Pure except for a lock: time is an argument. Never creates a key.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::access::{KeyId, random_secret};
use crate::calendar::RoomAddress;
use crate::client_prefix::client_prefix;
use crate::secret::Secret;

/// Pairings at once: the displays of a large building that are set up on one day.
pub const PAIRINGS_MAX: usize = 256;
/// Pairings at once from one client address.
pub const PAIRINGS_PER_ADDRESS_MAX: usize = 64;
/// How long a code is valid.
pub const PAIRING_TTL: TimeDelta = TimeDelta::minutes(10);
/// A display that did not poll for this long shows its code no more.
const POLL_GAP_MAX: TimeDelta = TimeDelta::minutes(2);
/// Wrong codes that one caller may send in ten minutes.
pub const WRONG_CODES_MAX: u32 = 10;
/// The time in which wrong codes are counted.
const WRONG_CODES_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// Callers whose wrong codes are counted at once. Each needs a key with the right `displays`.
const CALLERS_MAX: usize = 1_024;
/// The number of codes of six digits.
const CODES: u32 = 1_000_000;

/// A new pairing, as the display receives it.
#[derive(Debug)]
pub struct NewPairing {
    /// The id under which the display polls.
    pub id: Uuid,
    /// The six digits that it shows.
    pub code: String,
    /// The secret with which it polls.
    pub secret: Secret,
    /// The time at which the code becomes invalid.
    pub expires: DateTime<Utc>,
}

/// Why no pairing was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingsFull {
    /// The client's address has [`PAIRINGS_PER_ADDRESS_MAX`].
    Address,
    /// There are [`PAIRINGS_MAX`].
    Total,
}

/// Why a code leads to no pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimError {
    /// No display shows this code, or another request is using it.
    NoSuchCode,
    /// The caller sent too many wrong codes; it may send the next one after this time.
    TooManyWrongCodes(TimeDelta),
}

/// The result of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The pairing is reserved for this request.
    New(Claim),
    /// The same caller paired this display for this room before: the display's id.
    Before(KeyId),
}

/// A display that was paired.
#[derive(Debug, Clone)]
pub struct PairedDisplay {
    /// Its id, which is that of its key.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// Its room.
    pub room: RoomAddress,
    /// The id of the key or token that paired it.
    pub paired_by: KeyId,
}

/// What only the display may have.
#[derive(Debug, Clone)]
pub struct DisplaySecrets {
    /// Its API key.
    pub key: Secret,
    /// The PIN that signs it out, if the operator chose one.
    pub pin: Option<Secret>,
}

/// What a display learns when it polls.
#[derive(Debug)]
pub enum PairingState {
    /// No operator entered the code yet; it is valid until this time.
    Waiting(DateTime<Utc>),
    /// The display is paired. Its secrets are returned once.
    Paired(PairedDisplay, Option<DisplaySecrets>),
}

/// The pairings. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pairings(Arc<Mutex<PairingTable>>);

#[derive(Debug, Default)]
struct PairingTable {
    pairings: HashMap<Uuid, Pairing>,
    wrong_codes: HashMap<KeyId, WrongCodes>,
}

#[derive(Debug)]
struct Pairing {
    code: String,
    secret: Secret,
    address: Option<IpAddr>,
    began: DateTime<Utc>,
    polled: DateTime<Utc>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Claimed,
    Paired(PairedDisplay, Option<DisplaySecrets>),
}

#[derive(Debug)]
struct WrongCodes {
    since: DateTime<Utc>,
    count: u32,
}

impl Pairings {
    /// Begins a pairing for a display at this address; `None` where the address is that of a proxy.
    ///
    /// # Errors
    /// When too many displays wait.
    pub fn begin(&self, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<NewPairing, PairingsFull> {
        let address = address.map(client_prefix);
        let mut table = self.lock();
        table.pairings.retain(|_, pairing| pairing.is_alive(now));
        let from_there = table.pairings.values().filter(|pairing| pairing.address == address).count();
        if address.is_some() && from_there >= PAIRINGS_PER_ADDRESS_MAX {
            return Err(PairingsFull::Address);
        }
        if table.pairings.len() >= PAIRINGS_MAX {
            return Err(PairingsFull::Total);
        }
        let (id, code, secret) = (Uuid::new_v4(), table.unused_code(), Secret::new(random_secret()));
        let new = NewPairing { id, code: code.clone(), secret: secret.clone(), expires: now + PAIRING_TTL };
        let pairing = Pairing { code, secret, address, began: now, polled: now, stage: Stage::Waiting };
        table.pairings.insert(id, pairing);
        Ok(new)
    }

    /// The state of a pairing, for the display that has its secret; `None` if it has ended, or the secret is another one. Hands the
    /// secrets out once.
    pub fn poll(&self, id: Uuid, secret: &str, now: DateTime<Utc>) -> Option<PairingState> {
        let mut table = self.lock();
        let pairing = table.pairings.get_mut(&id).filter(|pairing| pairing.is_alive(now))?;
        let is_owner: bool = pairing.secret.expose().as_bytes().ct_eq(secret.as_bytes()).into();
        if !is_owner {
            return None;
        }
        pairing.polled = now;
        Some(match &mut pairing.stage {
            Stage::Waiting | Stage::Claimed => PairingState::Waiting(pairing.began + PAIRING_TTL),
            Stage::Paired(display, secrets) => PairingState::Paired(display.clone(), secrets.take()),
        })
    }

    /// Reserves the pairing with this code for the caller. A wrong code is counted.
    ///
    /// # Errors
    /// When no display shows the code, or the caller sent too many wrong ones.
    pub fn claim(
        &self,
        code: &str,
        room: &RoomAddress,
        caller: &KeyId,
        now: DateTime<Utc>,
    ) -> Result<Claimed, ClaimError> {
        let mut table = self.lock();
        table.check_attempts(caller, now)?;
        let alive = table.pairings.iter_mut().filter(|(_, pairing)| pairing.is_alive(now));
        let found = alive.into_iter().find(|(_, pairing)| pairing.code == code);
        match found.map(|(id, pairing)| (*id, &mut pairing.stage)) {
            Some((id, stage @ Stage::Waiting)) => {
                *stage = Stage::Claimed;
                Ok(Claimed::New(Claim { pairings: self.clone(), id, is_done: false }))
            }
            Some((_, Stage::Paired(display, _))) if display.paired_by == *caller && display.room == *room => {
                Ok(Claimed::Before(display.id.clone()))
            }
            Some((_, Stage::Claimed)) => Err(ClaimError::NoSuchCode),
            None | Some((_, Stage::Paired(..))) => {
                table.count_wrong_code(caller, now);
                Err(ClaimError::NoSuchCode)
            }
        }
    }

    /// Forgets the pairings that have ended, with their secrets.
    pub fn forget_ended(&self, now: DateTime<Utc>) {
        self.lock().pairings.retain(|_, pairing| pairing.is_alive(now));
    }

    fn lock(&self) -> MutexGuard<'_, PairingTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pairing {
    /// Whether its display still shows the code. A clock that was set back ends it.
    fn is_alive(&self, now: DateTime<Utc>) -> bool {
        let is_recent = |since: DateTime<Utc>, max: TimeDelta| since <= now && now < since + max;
        is_recent(self.began, PAIRING_TTL) && is_recent(self.polled, POLL_GAP_MAX)
    }
}

impl PairingTable {
    /// A random code that no display shows. Ends, since far fewer displays wait than there are codes.
    fn unused_code(&self) -> String {
        loop {
            let code = random_code();
            if self.pairings.values().all(|pairing| pairing.code != code) {
                return code;
            }
        }
    }

    fn check_attempts(&mut self, caller: &KeyId, now: DateTime<Utc>) -> Result<(), ClaimError> {
        self.wrong_codes.retain(|_, wrong| wrong.left(now) > TimeDelta::zero());
        match self.wrong_codes.get(caller) {
            Some(wrong) if wrong.count >= WRONG_CODES_MAX => {
                Err(ClaimError::TooManyWrongCodes(wrong.left(now)))
            }
            None if self.wrong_codes.len() >= CALLERS_MAX => {
                Err(ClaimError::TooManyWrongCodes(WRONG_CODES_WITHIN))
            }
            _ => Ok(()),
        }
    }

    fn count_wrong_code(&mut self, caller: &KeyId, now: DateTime<Utc>) {
        let wrong = self.wrong_codes.entry(caller.clone()).or_insert(WrongCodes { since: now, count: 0 });
        wrong.count += 1;
    }
}

impl WrongCodes {
    /// The time until they no longer count. After the clock was set back: all of it at most.
    fn left(&self, now: DateTime<Utc>) -> TimeDelta {
        (self.since + WRONG_CODES_WITHIN - now).min(WRONG_CODES_WITHIN)
    }
}

/// A pairing that is reserved for one request. Dropped without [`Self::complete`], it waits again.
#[derive(Debug)]
pub struct Claim {
    pairings: Pairings,
    id: Uuid,
    is_done: bool,
}

impl Claim {
    /// Hands the secrets to the display when it polls next. They are forgotten when the code becomes invalid.
    pub fn complete(mut self, display: PairedDisplay, secrets: DisplaySecrets) {
        self.is_done = true;
        self.set(Stage::Paired(display, Some(secrets)));
    }

    fn set(&self, stage: Stage) {
        if let Some(pairing) = self.pairings.lock().pairings.get_mut(&self.id) {
            pairing.stage = stage;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_done {
            self.set(Stage::Waiting);
        }
    }
}

/// Six digits, all equally likely, from the system's random source.
fn random_code() -> String {
    loop {
        let (number, ..) = Uuid::new_v4().as_fields();
        // Larger numbers would make small codes more likely.
        if number < u32::MAX / CODES * CODES {
            return format!("{:06}", number % CODES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + second, 0).unwrap()
    }

    fn caller() -> KeyId {
        KeyId("operator".to_owned())
    }

    fn room() -> RoomAddress {
        "one@x.y".parse().unwrap()
    }

    fn claim(pairings: &Pairings, code: &str, second: i64) -> Result<Claimed, ClaimError> {
        pairings.claim(code, &room(), &caller(), at(second))
    }

    fn pair(pairings: &Pairings, code: &str, second: i64) {
        let Ok(Claimed::New(claim)) = claim(pairings, code, second) else { panic!("{code}") };
        let (id, name) = (KeyId("door".to_owned()), "door".to_owned());
        let display = PairedDisplay { id, name, room: room(), paired_by: caller() };
        claim.complete(display, DisplaySecrets { key: Secret::new("adj_door_secret".to_owned()), pin: None });
    }

    fn key(pairings: &Pairings, new: &NewPairing, second: i64) -> Option<Option<String>> {
        match pairings.poll(new.id, new.secret.expose(), at(second))? {
            PairingState::Waiting(_) => Some(None),
            PairingState::Paired(_, secrets) => Some(secrets.map(|secrets| secrets.key.expose().to_owned())),
        }
    }

    #[test]
    fn the_key_goes_to_the_display_with_the_secret_and_once() {
        let pairings = Pairings::default();
        let new = pairings.begin(None, at(0)).unwrap();
        assert!(new.code.len() == 6 && new.code.bytes().all(|digit| digit.is_ascii_digit()), "{}", new.code);
        assert!(matches!(pairings.poll(new.id, new.secret.expose(), at(1)), Some(PairingState::Waiting(_))));
        pair(&pairings, &new.code, 2);
        assert!(pairings.poll(new.id, "guess", at(3)).is_none());
        assert!(pairings.poll(Uuid::new_v4(), new.secret.expose(), at(3)).is_none());
        assert_eq!(key(&pairings, &new, 3), Some(Some("adj_door_secret".to_owned())));
        assert_eq!(key(&pairings, &new, 4), Some(None));
    }

    #[test]
    fn a_code_is_used_once_and_a_repeated_request_learns_which_display_it_was() {
        let pairings = Pairings::default();
        let new = pairings.begin(None, at(0)).unwrap();
        pair(&pairings, &new.code, 1);
        assert!(matches!(claim(&pairings, &new.code, 2), Ok(Claimed::Before(id)) if id.0 == "door"));
        let elsewhere = "two@x.y".parse().unwrap();
        let other = KeyId("other".to_owned());
        for refused in [
            pairings.claim(&new.code, &elsewhere, &caller(), at(2)),
            pairings.claim(&new.code, &room(), &other, at(2)),
        ] {
            assert!(matches!(refused, Err(ClaimError::NoSuchCode)));
        }
    }

    #[test]
    fn a_claim_that_fails_lets_the_code_be_entered_again() {
        let pairings = Pairings::default();
        let new = pairings.begin(None, at(0)).unwrap();
        let first = claim(&pairings, &new.code, 1).unwrap();
        assert!(matches!(claim(&pairings, &new.code, 1), Err(ClaimError::NoSuchCode)), "in use");
        drop(first);
        pair(&pairings, &new.code, 2);
    }

    #[test]
    fn a_code_ends_after_ten_minutes_without_polls_and_with_a_clock_set_back() {
        let pairings = Pairings::default();
        let (polled, left) = (pairings.begin(None, at(0)).unwrap(), pairings.begin(None, at(0)).unwrap());
        for minute in 1..10 {
            assert!(key(&pairings, &polled, minute * 60).is_some(), "{minute}");
        }
        assert!(matches!(claim(&pairings, &left.code, 200), Err(ClaimError::NoSuchCode)));
        assert!(key(&pairings, &polled, 600).is_none());
        assert!(matches!(claim(&pairings, &polled.code, 600), Err(ClaimError::NoSuchCode)));
        let later = pairings.begin(None, at(1_000)).unwrap();
        assert!(key(&pairings, &later, 900).is_none());
    }

    #[test]
    fn pairings_are_limited_in_total_and_by_address_and_ended_ones_make_room() {
        let pairings = Pairings::default();
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        for _ in 0..PAIRINGS_PER_ADDRESS_MAX {
            pairings.begin(address(1), at(0)).unwrap();
        }
        assert_eq!(pairings.begin(address(1), at(0)).unwrap_err(), PairingsFull::Address);
        for _ in PAIRINGS_PER_ADDRESS_MAX..PAIRINGS_MAX {
            pairings.begin(None, at(0)).unwrap();
        }
        assert_eq!(pairings.begin(address(2), at(0)).unwrap_err(), PairingsFull::Total);
        pairings.begin(address(1), at(120)).unwrap();
        assert_eq!(pairings.lock().pairings.len(), 1);
    }

    #[test]
    fn wrong_codes_are_limited_by_caller() {
        let pairings = Pairings::default();
        let new = pairings.begin(None, at(0)).unwrap();
        let wrong = if new.code == "000000" { "000001" } else { "000000" };
        for _ in 0..WRONG_CODES_MAX {
            assert!(matches!(claim(&pairings, wrong, 10), Err(ClaimError::NoSuchCode)));
        }
        let refused = claim(&pairings, &new.code, 70).unwrap_err();
        assert_eq!(refused, ClaimError::TooManyWrongCodes(TimeDelta::minutes(9)));
        let other = KeyId("other".to_owned());
        assert!(matches!(pairings.claim(&new.code, &room(), &other, at(70)), Ok(Claimed::New(_))));
        assert!(matches!(claim(&pairings, wrong, 610), Err(ClaimError::NoSuchCode)), "counted anew");
    }

    #[test]
    fn a_key_that_no_display_fetched_is_forgotten() {
        let pairings = Pairings::default();
        let new = pairings.begin(None, at(0)).unwrap();
        pair(&pairings, &new.code, 1);
        pairings.forget_ended(at(119));
        assert_eq!(pairings.lock().pairings.len(), 1);
        pairings.forget_ended(at(120));
        assert!(pairings.lock().pairings.is_empty());
    }

    #[test]
    fn neither_secret_nor_key_is_printed() {
        let pairings = Pairings::default();
        let new = pairings.begin(None, at(0)).unwrap();
        pair(&pairings, &new.code, 1);
        let printed = format!("{pairings:?} {new:?}");
        assert!(!printed.contains(new.secret.expose()) && !printed.contains("adj_door"), "{printed}");
    }
}
