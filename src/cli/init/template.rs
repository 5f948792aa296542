//! The text of a first configuration: the given values, each key with its purpose. Pure.

use serde_json::Value;

use super::super::args::{InitAuth, InitProtocol};
use super::super::init_args::SecretPlace;
use super::answers::{Account, Answers, Server};
use crate::calendar::RoomAddress;

const HEAD: &str = "\
# Configuration of Adjourn. `adjourn config reference` prints every key, its default and its limits; `adjourn config check` checks this
# file. An editor with Taplo completes the keys when `#:schema ./adjourn.schema.json` is the first line here, and
# `adjourn config schema > adjourn.schema.json` has written that file.
";

/// The rules are comments: nothing is released before somebody has read them.
const RULES: &str = "
# A rule releases meetings to which nobody came. With `observe` the service records what it would release, and changes nothing:
# compare `adjourn decisions` with what people saw, then set `act`. docs/cleanup.md has all rules.
# [cleanup]
# mode = \"observe\"
# [cleanup.no_check_in]
# grace_minutes = 15

# The HTTP API and the console. Beyond this machine they need [api.tls], or behind_proxy = true.
# [api]
# listen = \"127.0.0.1:8480\"
";

/// The configuration with these values.
pub(super) fn configuration(answers: &Answers) -> String {
    let mut text = HEAD.to_owned();
    text += &match &answers.account {
        Account::OnPremises { server, auth, username } => on_premises(server, *auth, username, answers),
        Account::Online { protocol, tenant, client_id } => online(*protocol, tenant, client_id, answers),
    };
    text += "\n# The rooms that Adjourn may act in. It refuses every other mailbox, whatever rights the account has.\n[scope]\n";
    if !answers.rooms.is_empty() {
        text += &format!("rooms = {}\n", list(answers.rooms.iter().map(RoomAddress::as_str)));
    }
    if !answers.domains.is_empty() {
        text += "# Every mailbox of these domains.\n";
        text += &format!("domains = {}\n", list(answers.domains.iter().map(String::as_str)));
    }
    if !answers.protected.is_empty() {
        text += "\n# Mailboxes that Exchange must refuse to the account: `adjourn doctor` fails when it can act in one.\n[doctor]\n";
        text += &format!("out_of_scope = {}\n", list(answers.protected.iter().map(RoomAddress::as_str)));
    }
    text + RULES
}

fn on_premises(server: &Server, auth: InitAuth, username: &str, answers: &Answers) -> String {
    let auth = match auth {
        InitAuth::Negotiate => "negotiate",
        InitAuth::Ntlm => "ntlm",
        InitAuth::Basic => "basic",
    };
    let url = match server {
        Server::Url(url) => format!("url = {}\n", quoted(url)),
        Server::Autodiscover(domains) => {
            let hosts = domains.iter().flat_map(|domain| [domain.clone(), format!("*.{domain}")]);
            let hosts: Vec<String> = hosts.collect();
            format!(
                "# The server of each room is looked up, and the password sent to these hosts only.\n\
                 url = \"autodiscover\"\nautodiscover = {{ trusted_hosts = {} }}\n",
                list(hosts.iter().map(String::as_str))
            )
        }
    };
    format!(
        "\n# Exchange Server, over EWS.\n[server]\n{url}{}\
         # How the account signs in: negotiate (Kerberos, else NTLM), ntlm or basic.\nauth = \"{auth}\"\n\
         # The service account, and where its password is. The password itself never stands in this file.\n\
         username = {}\npassword = {}\n",
        ca_file(answers),
        quoted(username),
        source(&answers.secret)
    )
}

fn online(protocol: InitProtocol, tenant: &str, client_id: &str, answers: &Answers) -> String {
    let (name, protocol) = match protocol {
        InitProtocol::Graph => ("Microsoft Graph", "graph"),
        InitProtocol::Ews => ("EWS, which ends on 1 April 2027", "ews"),
    };
    format!(
        "\n# Exchange Online, over {name}.\n[server]\nprotocol = \"{protocol}\"\n{}\
         \n# The application, and where its client secret is. The secret itself never stands in this file; a certificate, workload\n\
         # identity or a managed identity can replace it (docs/exchange.md).\n\
         [server.oauth]\ntenant = {}\nclient_id = {}\nsecret = {}\n",
        ca_file(answers),
        quoted(tenant),
        quoted(client_id),
        source(&answers.secret)
    )
}

fn ca_file(answers: &Answers) -> String {
    let line = |path: &String| {
        format!("# Certificates to trust besides those of the platform.\nca_file = {}\n", quoted(path))
    };
    answers.ca_file.as_ref().map(line).unwrap_or_default()
}

fn source(secret: &SecretPlace) -> String {
    match secret {
        SecretPlace::File(path) => format!("{{ file = {} }}", quoted(path)),
        SecretPlace::Environment(name) => format!("{{ env = {} }}", quoted(name)),
        SecretPlace::Credential(name) => format!("{{ credential = {} }}", quoted(name)),
        SecretPlace::Command(words) => {
            format!("{{ command = [{}] }}", joined(words.iter().map(String::as_str)))
        }
    }
}

/// A list, one value on each line.
fn list<'v>(values: impl Iterator<Item = &'v str>) -> String {
    let lines: String = values.map(|value| format!("  {},\n", quoted(value))).collect();
    format!("[\n{lines}]")
}

fn joined<'v>(values: impl Iterator<Item = &'v str>) -> String {
    values.map(quoted).collect::<Vec<_>>().join(", ")
}

/// A basic string of TOML. JSON escapes the same characters in the same way; a delete character, which JSON leaves as it is, is left out.
fn quoted(text: &str) -> String {
    Value::from(text.replace('\u{7f}', "")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn answers(account: Account, secret: SecretPlace) -> Answers {
        Answers {
            account,
            secret,
            ca_file: None,
            rooms: vec!["room1@example.com".parse().unwrap()],
            domains: Vec::new(),
            protected: vec!["ceo@example.com".parse().unwrap()],
        }
    }

    #[test]
    fn every_combination_is_a_valid_configuration() {
        let url = Server::Url("https://mail.example.com/EWS/Exchange.asmx".to_owned());
        let servers = [url, Server::Autodiscover(vec!["example.com".to_owned()])];
        let mut accounts = Vec::new();
        for server in servers {
            for auth in [InitAuth::Negotiate, InitAuth::Ntlm, InitAuth::Basic] {
                let username = r"EXAMPLE\svc".to_owned();
                accounts.push(Account::OnPremises { server: server.clone(), auth, username });
            }
        }
        for protocol in [InitProtocol::Graph, InitProtocol::Ews] {
            let (tenant, client_id) = ("example.onmicrosoft.com".to_owned(), "11111111".to_owned());
            accounts.push(Account::Online { protocol, tenant, client_id });
        }
        let secrets = [
            SecretPlace::File("/etc/a \"b\"".to_owned()),
            SecretPlace::Environment("S".to_owned()),
            SecretPlace::Credential("c".to_owned()),
            SecretPlace::Command(vec!["pass".to_owned(), "show \\ it".to_owned()]),
        ];
        for account in &accounts {
            for secret in &secrets {
                let text = configuration(&answers(account.clone(), secret.clone()));
                let config = Config::parse_or_every_error(None, &text, &Overrides::default());
                let config = config.unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
                assert_eq!(config.warnings, [""; 0], "{text}");
                assert_eq!((config.scope.rooms().count(), config.out_of_scope.len()), (1, 1));
                assert_eq!(config.exchanges().count(), 1);
            }
        }
    }

    #[test]
    fn the_rules_in_comments_are_valid_too() {
        let account = Account::OnPremises {
            server: Server::Url("https://m.example/EWS/Exchange.asmx".to_owned()),
            auth: InitAuth::Basic,
            username: "svc".to_owned(),
        };
        let text = configuration(&answers(account, SecretPlace::Environment("S".to_owned())));
        let all: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key)
                    if key.starts_with('[')
                        || key.contains(" = \"") && !key.contains('`')
                        || key.starts_with("grace") =>
                {
                    format!("{key}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let config =
            Config::parse(None, &all, Overrides::default()).unwrap_or_else(|error| panic!("{error}\n{all}"));
        assert!(config.service.rules.no_check_in.is_some(), "{all}");
    }
}
