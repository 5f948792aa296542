//! Opaque tokens that clients store and send back: subscription ids, watermarks and sync states. Each encodes its fields
//! and a checksum, so the simulator stores nothing for them and detects foreign ones. Encoding only; never looks
//! anything up.
//!
//! ```text
//! |kind, 4 bytes|fields, 8 bytes each, big-endian|check, 4 bytes| → base64
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::folder::MailboxFolder;

const SUBSCRIPTION: [u8; 4] = [0x26, 0x00, 0x53, 0x75];
const WATERMARK: [u8; 4] = [0x01, 0x00, 0x57, 0x6d];
const STATE: [u8; 4] = [0x1f, 0x8b, 0x53, 0x79];

/// Identifies a subscription, the run of the simulator and the back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubscriptionToken {
    pub(crate) run: u64,
    pub(crate) back_end: usize,
    pub(crate) number: u64,
}

impl SubscriptionToken {
    pub(crate) fn encode(self) -> String {
        seal(SUBSCRIPTION, &[self.run, self.back_end as u64, self.number])
    }

    pub(crate) fn decode(id: &str) -> Option<Self> {
        let [run, back_end, number] = open(SUBSCRIPTION, id)?;
        Some(Self { run, back_end: usize::try_from(back_end).ok()?, number })
    }
}

/// The position up to which a client knows the changes of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermark {
    pub(crate) mailbox: u32,
    pub(crate) change: u64,
}

impl Watermark {
    pub(crate) fn encode(self) -> String {
        seal(WATERMARK, &[u64::from(self.mailbox), self.change])
    }

    pub(crate) fn decode(mark: &str) -> Option<Self> {
        let [mailbox, change] = open(WATERMARK, mark)?;
        Some(Self { mailbox: u32::try_from(mailbox).ok()?, change })
    }
}

/// The progress of a folder's synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyncToken {
    pub(crate) mailbox: u32,
    pub(crate) folder: MailboxFolder,
    /// The last change the client knows, once `rows` is exhausted.
    pub(crate) change: u64,
    /// The initial rows still to be returned: those above the first number, up to the second.
    pub(crate) rows: (u64, u64),
}

impl SyncToken {
    pub(crate) fn encode(self) -> String {
        let (from, to) = self.rows;
        seal(STATE, &[u64::from(self.mailbox), u64::from(self.folder.number()), self.change, from, to])
    }

    pub(crate) fn decode(state: &str) -> Option<Self> {
        let [mailbox, folder, change, from, to] = open(STATE, state)?;
        let folder = MailboxFolder::from_number(u8::try_from(folder).ok()?)?;
        Some(Self { mailbox: u32::try_from(mailbox).ok()?, folder, change, rows: (from, to) })
    }
}

fn seal(kind: [u8; 4], fields: &[u64]) -> String {
    let mut bytes = kind.to_vec();
    bytes.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
    bytes.extend(check(&bytes).to_be_bytes());
    STANDARD.encode(bytes)
}

fn open<const N: usize>(kind: [u8; 4], word: &str) -> Option<[u64; N]> {
    let bytes = STANDARD.decode(word).ok()?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    let (found, fields) = body.split_first_chunk::<4>()?;
    if *found != kind || u32::from_be_bytes(*sum) != check(body) || fields.len() != N * 8 {
        return None;
    }
    let mut out = [0; N];
    for (field, bytes) in out.iter_mut().zip(fields.chunks_exact(8)) {
        *field = u64::from_be_bytes(bytes.try_into().ok()?);
    }
    Some(out)
}

/// FNV-1a: detects mix-ups, not forgery.
fn check(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_as_what_was_written_and_nothing_else_reads() {
        let subscription = SubscriptionToken { run: 7, back_end: 1, number: 9 };
        let watermark = Watermark { mailbox: 3, change: 4 };
        let state = SyncToken { mailbox: 3, folder: MailboxFolder::Calendar, change: 4, rows: (5, 6) };
        assert_eq!(SubscriptionToken::decode(&subscription.encode()), Some(subscription));
        assert_eq!(Watermark::decode(&watermark.encode()), Some(watermark));
        assert_eq!(SyncToken::decode(&state.encode()), Some(state));
        for noise in ["", "AAAA", "not base64!", &watermark.encode(), &state.encode()[..12]] {
            assert_eq!((SubscriptionToken::decode(noise), SyncToken::decode(noise)), (None, None), "{noise}");
        }
    }
}
