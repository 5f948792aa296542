//! Decides what became of a batch whose answer was lost: found in the chain, not stored, or the database lost what it had acknowledged. Pure.

use super::writers::StoredChain;
use crate::journal::{Chain, JournalError};

/// The chain after a reconnect, compared with what this process knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The chain ends at the last acknowledged entry: the batch was not stored, and never will be.
    NotStored,
    /// The chain ends with the batch.
    Stored,
    /// This process may write no more.
    Ended(JournalError),
}

/// Compares the stored end of a chain with the acknowledged one, and with the one after the batch whose answer was lost.
pub(super) fn compare(stored: Option<StoredChain>, acknowledged: Chain, sent: Option<Chain>) -> Comparison {
    let Some(stored) = stored else { return lost(acknowledged, "the row of this process is gone") };
    if stored.is_sealed {
        return Comparison::Ended(JournalError::Fenced);
    }
    if !stored.has_last {
        return lost(acknowledged, "the last entry is gone");
    }
    match stored.chain {
        chain if chain == acknowledged => Comparison::NotStored,
        chain if Some(chain) == sent => Comparison::Stored,
        chain if chain.length < acknowledged.length => {
            lost(acknowledged, &format!("the chain ends at entry {}", chain.length))
        }
        chain => lost(acknowledged, &format!("entry {} is not what this process wrote", chain.length)),
    }
}

/// Why this process may write no more, if the database lacks acknowledged entries. An entry on its way is no loss, so this may be asked at
/// any time, with the acknowledged end from before the read.
pub(super) fn find_loss(stored: Option<StoredChain>, acknowledged: Chain) -> Option<JournalError> {
    let compared = match stored {
        Some(stored) if stored.has_last && stored.chain.length >= acknowledged.length => return None,
        stored => {
            compare(stored.map(|stored| StoredChain { is_sealed: false, ..stored }), acknowledged, None)
        }
    };
    match compared {
        Comparison::Ended(why) => Some(why),
        Comparison::NotStored | Comparison::Stored => None,
    }
}

fn lost(acknowledged: Chain, why: &str) -> Comparison {
    let text = format!(
        "PostgreSQL no longer has what it acknowledged up to entry {}: {why}; this process writes no more facts; check every room \
         that it acted on",
        acknowledged.length
    );
    Comparison::Ended(JournalError::Damaged(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> Chain {
        let mut chain = Chain::default();
        (0..length).for_each(|number| drop(chain.seal(number.to_string())));
        chain
    }

    fn stored(length: u64) -> StoredChain {
        StoredChain { session: 1, is_sealed: false, chain: chain(length), has_last: true }
    }

    #[test]
    fn a_batch_is_found_or_not() {
        let after = |stored| compare(Some(stored), chain(3), Some(chain(5)));
        assert_eq!(after(stored(3)), Comparison::NotStored);
        assert_eq!(after(stored(5)), Comparison::Stored);
        assert_eq!(compare(Some(stored(3)), chain(3), None), Comparison::NotStored);
    }

    #[test]
    fn a_sealed_writer_is_fenced_even_if_its_batch_is_there() {
        for length in [3, 5] {
            let sealed = StoredChain { is_sealed: true, ..stored(length) };
            let ended = compare(Some(sealed), chain(3), Some(chain(5)));
            assert_eq!(ended, Comparison::Ended(JournalError::Fenced));
        }
    }

    #[test]
    fn an_entry_on_its_way_is_no_loss_and_a_shorter_chain_is() {
        for length in [3, 4, 9] {
            assert_eq!(find_loss(Some(stored(length)), chain(3)), None);
        }
        let sealed = StoredChain { is_sealed: true, ..stored(2) };
        for lost in [None, Some(stored(2)), Some(sealed), Some(StoredChain { has_last: false, ..stored(3) })]
        {
            assert!(matches!(find_loss(lost, chain(3)), Some(JournalError::Damaged(_))), "{lost:?}");
        }
    }

    #[test]
    fn acknowledged_entries_that_are_missing_are_damage() {
        let mut other = chain(2);
        other.seal("another".to_owned());
        let cases = [
            None,
            Some(stored(2)),
            Some(stored(4)),
            Some(StoredChain { has_last: false, ..stored(3) }),
            Some(StoredChain { chain: other, ..stored(3) }),
        ];
        for case in cases {
            let compared = compare(case, chain(3), Some(chain(5)));
            let Comparison::Ended(JournalError::Damaged(why)) = compared else {
                panic!("{case:?}: {compared:?}")
            };
            assert!(why.contains("acknowledged up to entry 3"), "{why}");
        }
    }
}
