//! The server side of one sign-in by NTLM, bare or inside SPNEGO: which token may follow which. Knows neither HTTP nor
//! policy.
//!
//! ```text
//!  NegTokenInit, Kerberos first → MechanismSelected ─┐ NEGOTIATE_MESSAGE
//!  NEGOTIATE_MESSAGE, however wrapped ───────────────┴→ Challenged ── AUTHENTICATE_MESSAGE → authenticated, or rejected
//! ```

use chrono::{DateTime, Utc};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::account::ServiceAccount;
use super::ntlm::{IssuedChallenge, VerifiedUser};
use super::ntlm_messages::TargetNames;
use super::spnego::{self, MechanismList, NegState, NegTokenInit, NegTokenResp, SpnegoToken};

/// The state of a sign-in.
#[derive(Debug)]
pub(crate) enum ServerHandshake {
    /// The mechanism is selected; its first token has not arrived yet.
    MechanismSelected(MechanismList),
    Challenged {
        challenge: IssuedChallenge,
        /// The SPNEGO mechanism list; `None` for bare NTLM.
        list: Option<MechanismList>,
    },
}

/// The result of a valid token. An invalid token is rejected.
#[derive(Debug)]
pub(crate) enum HandshakeStep {
    /// Send this token and expect another.
    Continue(ServerHandshake, Vec<u8>),
    /// The client proved its identity; the token, if any, completes the client's side.
    Authenticated(VerifiedUser, Option<Vec<u8>>),
}

/// Processes the next token of a client in the state `at`.
pub(crate) fn step(
    at: Option<ServerHandshake>,
    token: &[u8],
    account: &ServiceAccount,
    names: &TargetNames,
    now: DateTime<Utc>,
) -> Option<HandshakeStep> {
    match (spnego::read(token)?, at) {
        (SpnegoToken::Init(init), _) => begin(&init, names, now),
        (SpnegoToken::RawNtlm(message), Some(ServerHandshake::Challenged { challenge, list: None }))
            if super::ntlm_messages::kind(message) == Some(3) =>
        {
            Some(HandshakeStep::Authenticated(challenge.verify(message, account)?, None))
        }
        (SpnegoToken::RawNtlm(message), _) => {
            let challenge = IssuedChallenge::new(message, nonce()?, names, now)?;
            let answer = challenge.message().to_vec();
            Some(HandshakeStep::Continue(ServerHandshake::Challenged { challenge, list: None }, answer))
        }
        (SpnegoToken::Response { token, .. }, Some(ServerHandshake::MechanismSelected(list))) => {
            let challenge = IssuedChallenge::new(token?, nonce()?, names, now)?;
            Some(challenged(challenge, list, NegState::Incomplete, false))
        }
        (
            SpnegoToken::Response { token, signature },
            Some(ServerHandshake::Challenged { challenge, list: Some(list) }),
        ) => {
            let proven = challenge.verify(token?, account)?;
            let signature = list.verify_and_sign(&proven.session, signature)?;
            let signature = signature.as_ref().map(<[u8; 16]>::as_slice);
            let answer = NegTokenResp { state: NegState::Completed, first: false, token: None, signature };
            Some(HandshakeStep::Authenticated(proven, Some(answer.write())))
        }
        (SpnegoToken::Response { .. }, _) => None,
    }
}

fn begin(init: &NegTokenInit<'_>, names: &TargetNames, now: DateTime<Utc>) -> Option<HandshakeStep> {
    let list = MechanismList { mechanisms: init.mechanisms.to_vec(), required: !init.ntlm_first };
    match init.token.filter(|_| init.ntlm_first) {
        Some(token) => Some(challenged(
            IssuedChallenge::new(token, nonce()?, names, now)?,
            list,
            NegState::Incomplete,
            true,
        )),
        None => {
            let state = if list.required { NegState::RequestMic } else { NegState::Incomplete };
            let answer = NegTokenResp { state, first: true, token: None, signature: None };
            Some(HandshakeStep::Continue(ServerHandshake::MechanismSelected(list), answer.write()))
        }
    }
}

fn challenged(
    challenge: IssuedChallenge,
    list: MechanismList,
    state: NegState,
    first: bool,
) -> HandshakeStep {
    let answer = NegTokenResp { state, first, token: Some(challenge.message()), signature: None }.write();
    HandshakeStep::Continue(ServerHandshake::Challenged { challenge, list: Some(list) }, answer)
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

    fn names() -> TargetNames {
        super::super::names(&account())
    }

    fn go_on(at: Option<ServerHandshake>, token: &[u8]) -> Option<HandshakeStep> {
        step(at, token, &account(), &names(), DateTime::UNIX_EPOCH)
    }

    /// The state before the third line of `negotiate.txt`.
    fn challenged(required: bool) -> ServerHandshake {
        let [init, challenge, _, _] = recorded("negotiate.txt").try_into().unwrap();
        let Some(SpnegoToken::Init(init)) = spnego::read(&init) else { panic!("no NegTokenInit") };
        let list = MechanismList { mechanisms: init.mechanisms.to_vec(), required };
        ServerHandshake::Challenged { challenge: given(init.token.unwrap(), &challenge), list: Some(list) }
    }

    #[test]
    fn a_strangers_spnego_is_answered_with_the_signature_it_expects() {
        let [init, _, response, signature] = recorded("negotiate.txt").try_into().unwrap();
        assert!(matches!(
            go_on(None, &init),
            Some(HandshakeStep::Continue(ServerHandshake::Challenged { .. }, _))
        ));
        for required in [false, true] {
            let Some(HandshakeStep::Authenticated(_, Some(answer))) =
                go_on(Some(challenged(required)), &response)
            else {
                panic!("refused");
            };
            let signed = SpnegoToken::Response { token: None, signature: Some(&signature) };
            assert_eq!(spnego::read(&answer), Some(signed));
        }
    }

    #[test]
    fn a_list_that_must_be_signed_is_not_taken_without() {
        let [_, _, response, _] = recorded("negotiate.txt").try_into().unwrap();
        let Some(SpnegoToken::Response { token, .. }) = spnego::read(&response) else {
            panic!("no NegTokenResp")
        };
        let bare = NegTokenResp { state: NegState::Incomplete, first: false, token, signature: None }.write();
        assert!(matches!(
            go_on(Some(challenged(false)), &bare),
            Some(HandshakeStep::Authenticated(_, Some(_)))
        ));
        assert!(go_on(Some(challenged(true)), &bare).is_none());
        let wrong =
            NegTokenResp { state: NegState::Incomplete, first: false, token, signature: Some(&[1; 16]) };
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
                let _ = go_on(Some(ServerHandshake::MechanismSelected(MechanismList { mechanisms: Vec::new(), required: true })), &token);
                let bare = ServerHandshake::Challenged { challenge: given(&lines[0], &lines[1]), list: None };
                for at in [challenged(false), bare] {
                    if let Some(HandshakeStep::Authenticated(..)) = go_on(Some(at), &token) {
                        // The MIC covers the NTLM message and not the NegTokenResp around it.
                        proptest::prop_assert!(unchanged || name == "negotiate.txt");
                    }
                }
            }
        }
    }
}
