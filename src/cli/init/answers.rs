//! What a first configuration needs, from flags and from answers. Whether the values together are valid, the check of the file decides.

use clap::ValueEnum;

use super::super::args::{ConnectionArgs, Deployment, InitArgs, InitAuth, InitProtocol};
use super::super::exit::{CommandError, Exit};
use super::super::init_args::{SecretPlace, SecretPlaceError};
use super::questions::{Question, Questions, ask};
use crate::calendar::RoomAddress;

/// The values of a first configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) account: Account,
    /// Where the password or the client secret is.
    pub(super) secret: SecretPlace,
    /// PEM file with certificates to trust.
    pub(super) ca_file: Option<String>,
    pub(super) rooms: Vec<RoomAddress>,
    pub(super) domains: Vec<String>,
    pub(super) protected: Vec<RoomAddress>,
}

/// Who Adjourn is, and where the rooms are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// An account of Exchange Server.
    OnPremises { server: Server, auth: InitAuth, username: String },
    /// An application of Exchange Online.
    Online { protocol: InitProtocol, tenant: String, client_id: String },
}

/// Where an Exchange Server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Server {
    Url(String),
    /// Found by Autodiscover, on hosts of these domains.
    Autodiscover(Vec<String>),
}

impl Answers {
    /// Takes what the flags have, and asks for the rest.
    pub(super) fn collect(
        args: InitArgs,
        connection: &ConnectionArgs,
        questions: &mut dyn Questions,
    ) -> Result<Self, CommandError> {
        let deployment = match args.deployment {
            Some(deployment) => deployment,
            None => choose(questions, "--deployment", "Deployment (on-premises or online)", None)?,
        };
        let (account, secret_file) = match deployment {
            Deployment::OnPremises => {
                (on_premises(&args, connection, questions)?, "file:/etc/adjourn/password")
            }
            Deployment::Online => (online(&args, questions)?, "file:/etc/adjourn/client-secret"),
        };
        let secret = match &args.secret {
            // Not parsed with the other arguments: their errors quote the value, which may be the secret by mistake.
            Some(text) => parse_place(text).map_err(invalid("--secret"))?,
            None => secret_place(questions, secret_file)?,
        };
        let (rooms, domains) = match args.rooms.is_empty() && args.domains.is_empty() {
            true => scope(questions)?,
            false => (addresses(&args.rooms.join(" ")).map_err(invalid("--room"))?, args.domains),
        };
        let protected = match args.protected.as_slice() {
            [] => {
                let text = "A mailbox that Exchange must refuse to Adjourn, for adjourn doctor to prove";
                ask(questions, &Question { flag: "--protected", text, default: Some("") }, addresses)?
            }
            given => addresses(&given.join(" ")).map_err(invalid("--protected"))?,
        };
        let ca_file = connection.ca_file.as_ref().map(|path| path.display().to_string());
        Ok(Self { account, secret, ca_file, rooms, domains, protected })
    }

    pub(super) fn deployment(&self) -> Deployment {
        match self.account {
            Account::OnPremises { .. } => Deployment::OnPremises,
            Account::Online { .. } => Deployment::Online,
        }
    }
}

fn on_premises(
    args: &InitArgs,
    connection: &ConnectionArgs,
    questions: &mut dyn Questions,
) -> Result<Account, CommandError> {
    let server = match (&connection.url, args.autodiscover.as_slice()) {
        (Some(url), _) if url != AUTODISCOVER => Server::Url(url.clone()),
        (_, []) => server(questions)?,
        (_, domains) => Server::Autodiscover(domains.to_vec()),
    };
    let auth = match args.auth {
        Some(auth) => auth,
        None => choose(questions, "--auth", "Sign-in (negotiate, ntlm or basic)", Some("negotiate"))?,
    };
    let username = match &connection.username {
        Some(username) => username.clone(),
        None => text(questions, "--username", r"Service account (DOMAIN\name or name@domain)")?,
    };
    Ok(Account::OnPremises { server, auth, username })
}

fn online(args: &InitArgs, questions: &mut dyn Questions) -> Result<Account, CommandError> {
    let protocol = match args.protocol {
        Some(protocol) => protocol,
        None => choose(questions, "--protocol", "Protocol (graph or ews)", Some("graph"))?,
    };
    let tenant = match &args.tenant {
        Some(tenant) => tenant.clone(),
        None => text(questions, "--tenant", "Tenant (such as example.onmicrosoft.com)")?,
    };
    let client_id = match &args.client_id {
        Some(id) => id.clone(),
        None => text(questions, "--client-id", "Application (client) id")?,
    };
    Ok(Account::Online { protocol, tenant, client_id })
}

/// The word for Autodiscover instead of a URL.
const AUTODISCOVER: &str = "autodiscover";

fn server(questions: &mut dyn Questions) -> Result<Server, CommandError> {
    let url = text(
        questions,
        "--url or --autodiscover",
        "URL of EWS (https://mail.example.com/EWS/Exchange.asmx), or autodiscover",
    )?;
    if url != AUTODISCOVER {
        return Ok(Server::Url(url));
    }
    let hosts = text(questions, "--autodiscover", "Domains of the hosts that Autodiscover may name")?;
    Ok(Server::Autodiscover(words(&hosts)))
}

fn secret_place(questions: &mut dyn Questions, usual: &str) -> Result<SecretPlace, CommandError> {
    let text = format!(
        "Where the secret is: file:PATH, env:VARIABLE, credential:NAME or command:WORDS (such as {usual})"
    );
    let question = Question { flag: "--secret", text: &text, default: None };
    ask(questions, &question, parse_place)
}

fn parse_place(text: &str) -> Result<SecretPlace, String> {
    text.parse().map_err(|error: SecretPlaceError| error.to_string())
}

/// Rooms, and domains as `@example.com`.
fn scope(questions: &mut dyn Questions) -> Result<(Vec<RoomAddress>, Vec<String>), CommandError> {
    let text = "Rooms that Adjourn may act in: addresses, and @domain for every mailbox of a domain";
    let question = Question { flag: "--room or --domain", text, default: None };
    ask(questions, &question, |answer| {
        let (domains, rooms): (Vec<_>, Vec<_>) =
            words(answer).into_iter().partition(|word| word.starts_with('@'));
        let domains: Vec<String> =
            domains.iter().map(|domain| domain.trim_start_matches('@').to_owned()).collect();
        let rooms = addresses(&rooms.join(" "))?;
        match rooms.is_empty() && domains.is_empty() {
            true => Err("name a room or a domain".to_owned()),
            false => Ok((rooms, domains)),
        }
    })
}

/// Words, separated by blanks or commas.
fn words(text: &str) -> Vec<String> {
    text.split([' ', ',', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn addresses(text: &str) -> Result<Vec<RoomAddress>, String> {
    words(text).iter().map(|word| word.parse().map_err(|error| format!("{error}"))).collect()
}

fn text(questions: &mut dyn Questions, flag: &str, text: &str) -> Result<String, CommandError> {
    ask(questions, &Question { flag, text, default: None }, |answer| match answer {
        "" => Err("an answer is needed".to_owned()),
        answer => Ok(answer.to_owned()),
    })
}

fn choose<T: ValueEnum>(
    questions: &mut dyn Questions,
    flag: &str,
    text: &str,
    default: Option<&str>,
) -> Result<T, CommandError> {
    ask(questions, &Question { flag, text, default }, |answer| T::from_str(answer, true))
}

fn invalid(flag: &str) -> impl FnOnce(String) -> CommandError {
    let flag = flag.to_owned();
    move |why| CommandError::new(Exit::Usage, format!("{flag}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::super::command_line;
    use super::super::super::time_zone::OptionTimeZone;
    use super::super::questions::NoQuestions;
    use super::*;

    /// Answers in their order, and what was refused.
    struct Scripted(Vec<&'static str>, Vec<String>);

    impl Questions for Scripted {
        fn answer(&mut self, question: &Question<'_>) -> Result<String, CommandError> {
            assert!(!self.0.is_empty(), "nobody answers {}", question.text);
            Ok(self.0.remove(0).to_owned())
        }

        fn refuse(&mut self, why: &str) {
            self.1.push(why.to_owned());
        }
    }

    fn no_flags() -> ConnectionArgs {
        let args = ["adjourn", "init"].map(Into::into);
        command_line::parse(&args, chrono::DateTime::UNIX_EPOCH, &OptionTimeZone::Utc)
            .unwrap()
            .line
            .connection
    }

    #[test]
    fn a_person_is_asked_again_until_the_answer_can_be_taken() {
        let answers = [
            "server",
            "mail",
            "on-premises",
            "autodiscover",
            "example.com, example.net",
            "",
            "EXAMPLE\\svc",
            "hunter2",
            "file:/etc/adjourn/password",
            "room1",
            "room1@example.com @rooms.example.com",
            "",
        ];
        let mut scripted = Scripted(answers[1..].to_vec(), Vec::new());
        let answers = Answers::collect(InitArgs::default(), &no_flags(), &mut scripted).unwrap();
        assert_eq!(
            answers.account,
            Account::OnPremises {
                server: Server::Autodiscover(vec!["example.com".to_owned(), "example.net".to_owned()]),
                auth: InitAuth::Negotiate,
                username: "EXAMPLE\\svc".to_owned(),
            }
        );
        assert_eq!(answers.secret, SecretPlace::File("/etc/adjourn/password".to_owned()));
        assert_eq!(answers.rooms.len(), 1);
        assert_eq!((answers.domains, answers.protected), (vec!["rooms.example.com".to_owned()], Vec::new()));
        assert_eq!(scripted.1.len(), 3, "{:?}", scripted.1);
        assert!(scripted.1.iter().all(|why| !why.contains("hunter2")), "{:?}", scripted.1);
    }

    #[test]
    fn without_a_terminal_the_missing_flag_is_named() {
        let missing = |args: InitArgs, connection: &ConnectionArgs| {
            Answers::collect(args, connection, &mut NoQuestions).unwrap_err().message
        };
        let on_premises = InitArgs { deployment: Some(Deployment::OnPremises), ..InitArgs::default() };
        let with_url = ConnectionArgs { url: Some("https://m/EWS".to_owned()), ..no_flags() };
        let with_account = ConnectionArgs { username: Some("svc".to_owned()), ..with_url.clone() };
        let online = InitArgs { deployment: Some(Deployment::Online), ..InitArgs::default() };
        let secret = Some("env:S".to_owned());
        for (args, connection, flag) in [
            (InitArgs::default(), no_flags(), "--deployment"),
            (on_premises.clone(), no_flags(), "--url or --autodiscover"),
            (on_premises.clone(), with_url, "--username"),
            (on_premises.clone(), with_account.clone(), "--secret"),
            (InitArgs { secret, ..on_premises }, with_account, "--room or --domain"),
            (online.clone(), no_flags(), "--tenant"),
            (InitArgs { tenant: Some("t".to_owned()), ..online }, no_flags(), "--client-id"),
        ] {
            let message = missing(args, &connection);
            assert!(message.ends_with(&format!("give {flag}")), "{message}");
        }
    }

    #[test]
    fn an_answer_that_is_wrong_too_often_ends_the_questions() {
        let mut scripted = Scripted(vec!["mail"; 10], Vec::new());
        let error = Answers::collect(InitArgs::default(), &no_flags(), &mut scripted).unwrap_err();
        assert!(error.message.contains("--deployment"), "{}", error.message);
    }
}
