//! The address book behind the world: which addresses a mailbox has, its X.500 name, who is hidden and who sees whom.
//! A mailbox keeps its X.500 name when it is renamed, and items keep the X.500 name of a mailbox that is gone. Looks at no item.

use std::collections::BTreeSet;

use super::event::Person;
use super::world::{Mailbox, World, key};

/// What stands before an account's name in the X.500 names of one organization.
const RECIPIENTS: &str = "/o=EXAMPLE/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=";

/// A mailbox's entry in the directory, besides its name and its primary address.
#[derive(Debug, Clone, Default)]
pub(crate) struct DirectoryEntry {
    /// `legacyExchangeDN`.
    pub(crate) legacy_dn: String,
    /// Further SMTP addresses.
    pub(crate) proxies: Vec<String>,
    /// `HiddenFromAddressListsEnabled`.
    pub(crate) is_hidden: bool,
    /// The mailboxes that its address book policy shows it; `None` for all.
    sees: Option<BTreeSet<u32>>,
    /// The code with which `GetUserAvailability` fails for this mailbox.
    pub(crate) availability_fails: Option<&'static str>,
}

impl DirectoryEntry {
    pub(crate) fn of(address: &str, number: u32) -> Self {
        let account = address.split('@').next().unwrap_or_default();
        Self { legacy_dn: format!("{RECIPIENTS}{number:08x}-{account}"), ..Self::default() }
    }
}

impl World {
    /// Gives a mailbox another address, under which it is reached as well.
    pub fn add_proxy_address(&mut self, address: &str, proxy: &str) -> &mut Self {
        if let Some(number) = self.number_of(address) {
            self.directory.insert(key(proxy), number);
            self.entry(number, |entry| entry.proxies.push(proxy.to_owned()));
        }
        self
    }

    /// Gives a mailbox another name and primary address. The former address stays as a proxy address; what meetings say of
    /// their attendees stays as it was written.
    pub fn rename_mailbox(&mut self, address: &str, name: &str, new: &str) -> &mut Self {
        let Some(number) = self.number_of(address) else { return self };
        let Some(mailbox) = self.mailboxes.get_mut(&number) else { return self };
        name.clone_into(&mut mailbox.name);
        let former = std::mem::replace(&mut mailbox.address, new.to_owned());
        mailbox.entry.proxies.retain(|proxy| key(proxy) != key(new));
        mailbox.entry.proxies.push(former.clone());
        self.directory.insert(key(new), number);
        self.move_rights(&former, new);
        self
    }

    /// Hides a mailbox from the address lists: names no longer resolve to it. It goes on receiving mail and having a calendar.
    pub fn hide_from_address_lists(&mut self, address: &str) -> &mut Self {
        if let Some(number) = self.number_of(address) {
            self.entry(number, |entry| entry.is_hidden = true);
        }
        self
    }

    /// Gives a mailbox an address book policy by which it sees these mailboxes and no others.
    pub fn set_address_book_policy(&mut self, viewer: &str, visible: &[&str]) -> &mut Self {
        let sees = visible.iter().filter_map(|address| self.number_of(address)).collect();
        if let Some(number) = self.number_of(viewer) {
            self.entry(number, |entry| entry.sees = Some(sees));
        }
        self
    }

    /// Makes `GetUserAvailability` fail for this mailbox with a code, whatever it answers for others.
    pub fn fail_availability_of(&mut self, address: &str, code: &'static str) -> &mut Self {
        if let Some(number) = self.number_of(address) {
            self.entry(number, |entry| entry.availability_fails = Some(code));
        }
        self
    }

    fn entry(&mut self, number: u32, change: impl FnOnce(&mut DirectoryEntry)) {
        if let Some(mailbox) = self.mailboxes.get_mut(&number) {
            change(&mut mailbox.entry);
        }
    }

    fn number_of(&self, address: &str) -> Option<u32> {
        self.directory.get(&key(address)).copied()
    }

    /// Forgets every address of a mailbox; its X.500 name stays known to the items that have it.
    pub(super) fn remove_from_directory(&mut self, number: u32) {
        self.directory.retain(|_, other| *other != number);
        if let Some(gone) = self.mailboxes.get(&number) {
            let dn = gone.entry.legacy_dn.clone();
            let addresses = gone.entry.proxies.iter().chain([&gone.address]);
            self.former_legacy_dns.extend(addresses.map(|address| (key(address), dn.clone())));
        }
    }

    /// Every address of the mailbox that has this one.
    pub(crate) fn addresses_of(&self, address: &str) -> BTreeSet<String> {
        let mailbox = self.mailbox(address);
        let known =
            mailbox.into_iter().flat_map(|mailbox| mailbox.entry.proxies.iter().chain([&mailbox.address]));
        known.map(|address| key(address)).chain([key(address)]).collect()
    }

    /// The X.500 name of an address that has or had a mailbox here.
    pub(crate) fn legacy_dn(&self, address: &str) -> Option<&str> {
        let living = self.mailbox(address).map(|mailbox| &mailbox.entry.legacy_dn);
        living.or_else(|| self.former_legacy_dns.get(&key(address))).map(String::as_str)
    }

    /// Somebody as the directory has them now, for an item that knows them by another address of theirs.
    pub(crate) fn as_listed(&self, person: &Person) -> Person {
        self.mailbox(&person.address).map_or_else(|| person.clone(), Mailbox::person)
    }

    /// What a name, an address or an X.500 name resolves to, in the address lists that the viewer sees.
    pub(crate) fn resolve(&self, viewer: Option<u32>, entry: &str) -> Vec<&Mailbox> {
        let sees = viewer.and_then(|number| self.mailboxes.get(&number)?.entry.sees.as_ref());
        let listed = |mailbox: &&Mailbox| {
            !mailbox.entry.is_hidden && sees.is_none_or(|sees| sees.contains(&mailbox.number))
        };
        let wanted = key(entry);
        let wanted = wanted.strip_prefix("ex:").unwrap_or(&wanted);
        if wanted.starts_with('/') {
            return self
                .mailboxes()
                .filter(|mailbox| key(&mailbox.entry.legacy_dn) == wanted)
                .filter(listed)
                .collect();
        }
        match wanted.strip_prefix("smtp:") {
            Some(address) => self.mailbox(address).into_iter().filter(listed).collect(),
            None => self.mailboxes().filter(|mailbox| mailbox.begins(wanted)).filter(listed).collect(),
        }
    }
}

impl Mailbox {
    /// Ambiguous name resolution: the name or the address begins so, or a proxy address is the same.
    fn begins(&self, wanted: &str) -> bool {
        let begins = |text: &str| key(text).starts_with(wanted);
        begins(&self.name)
            || begins(&self.address)
            || self.entry.proxies.iter().any(|proxy| key(proxy) == wanted)
    }
}
