//! The service account, and the names it may sign in with.

/// One account of the simulated domain.
#[derive(Clone)]
pub(crate) struct ServiceAccount {
    /// As configured; a UPN if it contains `@`.
    username: String,
    domain: String,
    pub(crate) password: String,
}

impl ServiceAccount {
    /// `username` may be `name`, `name@dns.domain` or `DOMAIN\name`; a domain in it overrides `domain`.
    pub(crate) fn new(username: &str, domain: &str, password: &str) -> Self {
        let (domain, username) = username.split_once('\\').unwrap_or((domain, username));
        Self { username: username.to_owned(), domain: domain.to_owned(), password: password.to_owned() }
    }

    /// Whether a name denotes this account: `DOMAIN\name`, `dns.domain\name`, the UPN, or the name alone.
    pub(crate) fn is(&self, domain: &str, user: &str) -> bool {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        let by_name = same(user, self.name());
        let its_domain = same(domain, &self.domain) || same(domain, self.dns_domain());
        match domain {
            "" => by_name || same(user, &self.username),
            _ => its_domain && (by_name || same(user, &self.username)),
        }
    }

    /// The name without a domain.
    pub(crate) fn name(&self) -> &str {
        self.username.split_once('@').map_or(self.username.as_str(), |(name, _)| name)
    }

    /// The DNS name of the domain.
    pub(crate) fn dns_domain(&self) -> &str {
        self.username.split_once('@').map_or("example.com", |(_, domain)| domain)
    }

    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_answers_to_its_names_and_to_no_other() {
        let account = ServiceAccount::new("svc@example.com", "EXAMPLE", "x");
        for (domain, user) in [
            ("EXAMPLE", "svc"),
            ("example", "SVC"),
            ("example.com", "svc"),
            ("", "svc@example.com"),
            ("", "svc"),
            ("EXAMPLE", "svc@example.com"),
        ] {
            assert!(account.is(domain, user), "{domain}\\{user}");
        }
        for (domain, user) in [("OTHER", "svc"), ("EXAMPLE", "ada"), ("", ""), ("", "svc@other.com")] {
            assert!(!account.is(domain, user), "{domain}\\{user}");
        }
        assert!(ServiceAccount::new("CORP\\svc", "EXAMPLE", "x").is("corp", "svc"));
    }
}
