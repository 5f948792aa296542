//! One sign-in by NTLM, bare or inside SPNEGO, from the client's first token to its last: which token may follow which.
//! Sees no HTTP and no policy.
//!
//! ```text
//!  NegTokenInit, Kerberos first → Chosen ─┐ NEGOTIATE_MESSAGE
//!  NEGOTIATE_MESSAGE, however wrapped ────┴→ Challenged ── AUTHENTICATE_MESSAGE → proven, or refused
//! ```

use chrono::{DateTime, Utc};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::account::Account;
use super::ntlm::{Challenge, Proven};
use super::ntlm_messages::Names;
use super::spnego::{self, Answer, Init, List, State, Token};

/// Where a sign-in stands.
#[derive(Debug)]
pub(crate) enum Handshake {
    /// The mechanism is settled, and no token for it has come yet.
    Chosen(List),
    Challenged {
        challenge: Challenge,
        /// What was around NTLM.
        list: Option<List>,
    },
}

/// What a token led to. A token that leads nowhere is refused.
#[derive(Debug)]
pub(crate) enum Step {
    /// This is sent, and another token must come.
    GoOn(Handshake, Vec<u8>),
    /// The client is who it says, and is told so if it wants to know.
    Proven(Proven, Option<Vec<u8>>),
}

/// Takes the next token of a client that stands at `at`.
pub(crate) fn step(
    at: Option<Handshake>,
    token: &[u8],
    account: &Account,
    names: &Names,
    now: DateTime<Utc>,
) -> Option<Step> {
    match (spnego::read(token)?, at) {
        (Token::Init(init), _) => begin(&init, names, now),
        (Token::Bare(message), Some(Handshake::Challenged { challenge, list: None }))
            if super::ntlm_messages::kind(message) == Some(3) =>
        {
            Some(Step::Proven(challenge.judge(message, account)?, None))
        }
        (Token::Bare(message), _) => {
            let challenge = Challenge::give(message, nonce()?, names, now)?;
            let answer = challenge.message().to_vec();
            Some(Step::GoOn(Handshake::Challenged { challenge, list: None }, answer))
        }
        (Token::Response { token, .. }, Some(Handshake::Chosen(list))) => {
            let challenge = Challenge::give(token?, nonce()?, names, now)?;
            Some(challenged(challenge, list, State::Incomplete, false))
        }
        (
            Token::Response { token, signature },
            Some(Handshake::Challenged { challenge, list: Some(list) }),
        ) => {
            let proven = challenge.judge(token?, account)?;
            let signature = list.settle(&proven.session, signature)?;
            let signature = signature.as_ref().map(<[u8; 16]>::as_slice);
            let answer = Answer { state: State::Completed, first: false, token: None, signature };
            Some(Step::Proven(proven, Some(answer.write())))
        }
        (Token::Response { .. }, _) => None,
    }
}

fn begin(init: &Init<'_>, names: &Names, now: DateTime<Utc>) -> Option<Step> {
    let list = List { mechanisms: init.mechanisms.to_vec(), required: !init.ntlm_first };
    match init.token.filter(|_| init.ntlm_first) {
        Some(token) => {
            Some(challenged(Challenge::give(token, nonce()?, names, now)?, list, State::Incomplete, true))
        }
        None => {
            let state = if list.required { State::RequestMic } else { State::Incomplete };
            let answer = Answer { state, first: true, token: None, signature: None };
            Some(Step::GoOn(Handshake::Chosen(list), answer.write()))
        }
    }
}

fn challenged(challenge: Challenge, list: List, state: State, first: bool) -> Step {
    let answer = Answer { state, first, token: Some(challenge.message()), signature: None }.write();
    Step::GoOn(Handshake::Challenged { challenge, list: Some(list) }, answer)
}

fn nonce() -> Option<[u8; 8]> {
    let mut nonce = [0; 8];
    SystemRandom::new().fill(&mut nonce).ok()?;
    Some(nonce)
}

#[cfg(test)]
mod tests {
    use super::super::ntlm::tests::{account, given, recorded};
    use super::*;

    fn names() -> Names {
        super::super::names(&account())
    }

    fn go_on(at: Option<Handshake>, token: &[u8]) -> Option<Step> {
        step(at, token, &account(), &names(), DateTime::UNIX_EPOCH)
    }

    /// Where `negotiate.txt` stands before its third line.
    fn challenged(required: bool) -> Handshake {
        let [init, challenge, _, _] = recorded("negotiate.txt").try_into().unwrap();
        let Some(Token::Init(init)) = spnego::read(&init) else { panic!("no NegTokenInit") };
        let list = List { mechanisms: init.mechanisms.to_vec(), required };
        Handshake::Challenged { challenge: given(init.token.unwrap(), &challenge), list: Some(list) }
    }

    #[test]
    fn a_strangers_spnego_is_answered_with_the_signature_it_expects() {
        let [init, _, response, signature] = recorded("negotiate.txt").try_into().unwrap();
        assert!(matches!(go_on(None, &init), Some(Step::GoOn(Handshake::Challenged { .. }, _))));
        for required in [false, true] {
            let Some(Step::Proven(_, Some(answer))) = go_on(Some(challenged(required)), &response) else {
                panic!("refused");
            };
            let signed = Token::Response { token: None, signature: Some(&signature) };
            assert_eq!(spnego::read(&answer), Some(signed));
        }
    }

    #[test]
    fn a_list_that_must_be_signed_is_not_taken_without() {
        let [_, _, response, _] = recorded("negotiate.txt").try_into().unwrap();
        let Some(Token::Response { token, .. }) = spnego::read(&response) else { panic!("no NegTokenResp") };
        let bare = Answer { state: State::Incomplete, first: false, token, signature: None }.write();
        assert!(matches!(go_on(Some(challenged(false)), &bare), Some(Step::Proven(_, Some(_)))));
        assert!(go_on(Some(challenged(true)), &bare).is_none());
        let wrong = Answer { state: State::Incomplete, first: false, token, signature: Some(&[1; 16]) };
        assert!(go_on(Some(challenged(false)), &wrong.write()).is_none());
    }

    #[test]
    fn tokens_out_of_turn_lead_nowhere() {
        let [_, _, response, _] = recorded("negotiate.txt").try_into().unwrap();
        let [_, challenge, authenticate] = recorded("ntlm.txt").try_into().unwrap();
        for token in [&response, &challenge, &authenticate, &Vec::new()] {
            assert!(go_on(None, token).is_none());
        }
        assert!(go_on(Some(challenged(false)), &authenticate).is_none(), "inside SPNEGO and then outside");
    }

    proptest::proptest! {
        #[test]
        fn noise_is_never_proof(
            line in 0..3_usize,
            changes in proptest::collection::vec((0..1_000_usize, proptest::prelude::any::<u8>()), 0..6),
            length in 0..600_usize,
        ) {
            for name in ["ntlm.txt", "negotiate.txt"] {
                let lines = recorded(name);
                let mut token = lines[line].clone();
                for (at, byte) in &changes {
                    let at = at % token.len();
                    token[at] = *byte;
                }
                token.truncate(length);
                let unchanged = token == lines[line];
                let _ = go_on(None, &token);
                let _ = go_on(Some(Handshake::Chosen(List { mechanisms: Vec::new(), required: true })), &token);
                let bare = Handshake::Challenged { challenge: given(&lines[0], &lines[1]), list: None };
                for at in [challenged(false), bare] {
                    if let Some(Step::Proven(..)) = go_on(Some(at), &token) {
                        // What is around the NTLM message in a NegTokenResp is not covered by its MIC.
                        proptest::prop_assert!(unchanged || name == "negotiate.txt");
                    }
                }
            }
        }
    }
}
