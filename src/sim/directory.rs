//! The address book of the world: addresses, X.500 names, hidden mailboxes and address book policies. A mailbox keeps
//! its X.500 name when it is renamed, and items keep the X.500 name of a removed mailbox. Reads no item.

use std::collections::BTreeSet;

use super::details::Person;
use super::mailbox::{DirectoryEntry, Mailbox, key};
use super::world::World;

impl World {
    /// Adds a proxy address, which reaches the same mailbox.
    pub fn add_proxy_address(&mut self, address: &str, proxy: &str) -> &mut Self {
        if let Some(number) = self.number_of(address) {
            self.directory.insert(key(proxy), number);
            self.entry(number, |entry| entry.proxies.push(proxy.to_owned()));
        }
        self
    }

    /// Changes a mailbox's name and primary address. The old address becomes a proxy address; attendee lists keep the
    /// address they were written with.
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

    /// Hides a mailbox from the address lists: names no longer resolve to it. It still receives mail and keeps its
    /// calendar.
    pub fn hide_from_address_lists(&mut self, address: &str) -> &mut Self {
        if let Some(number) = self.number_of(address) {
            self.entry(number, |entry| entry.is_hidden = true);
        }
        self
    }

    /// Gives a mailbox an address book policy under which only these mailboxes are visible to it.
    pub fn set_address_book_policy(&mut self, viewer: &str, visible: &[&str]) -> &mut Self {
        let sees = visible.iter().filter_map(|address| self.number_of(address)).collect();
        if let Some(number) = self.number_of(viewer) {
            self.entry(number, |entry| entry.sees = Some(sees));
        }
        self
    }

    /// Makes `GetUserAvailability` fail for this mailbox with a code; other mailboxes of the request are unaffected.
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

    /// Removes every address of a mailbox. Items that refer to it keep its X.500 name.
    pub(super) fn remove_from_directory(&mut self, number: u32) {
        self.directory.retain(|_, other| *other != number);
        if let Some(gone) = self.mailboxes.get(&number) {
            let dn = gone.entry.legacy_dn.clone();
            let addresses = gone.entry.proxies.iter().chain([&gone.address]);
            self.former_legacy_dns.extend(addresses.map(|address| (key(address), dn.clone())));
        }
    }

    /// Every address of the mailbox with this address.
    pub(crate) fn addresses_of(&self, address: &str) -> BTreeSet<String> {
        let mailbox = self.mailbox(address);
        let known =
            mailbox.into_iter().flat_map(|mailbox| mailbox.entry.proxies.iter().chain([&mailbox.address]));
        known.map(|address| key(address)).chain([key(address)]).collect()
    }

    /// The X.500 name of an address that has or had a mailbox.
    pub(crate) fn legacy_dn(&self, address: &str) -> Option<&str> {
        let living = self.mailbox(address).map(|mailbox| &mailbox.entry.legacy_dn);
        living.or_else(|| self.former_legacy_dns.get(&key(address))).map(String::as_str)
    }

    /// A person with the current name and primary address, for an item that holds another address of theirs.
    pub(crate) fn as_listed(&self, person: &Person) -> Person {
        self.mailbox(&person.address).map_or_else(|| person.clone(), Mailbox::person)
    }

    /// The mailboxes to which a name, an address or an X.500 name resolves in the address lists visible to `viewer`.
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
    /// Ambiguous name resolution (ANR): a prefix of the name or address, or a whole proxy address.
    fn begins(&self, wanted: &str) -> bool {
        let begins = |text: &str| key(text).starts_with(wanted);
        begins(&self.name)
            || begins(&self.address)
            || self.entry.proxies.iter().any(|proxy| key(proxy) == wanted)
    }
}
