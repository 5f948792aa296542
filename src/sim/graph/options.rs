//! The options of simulated Graph: the application's permissions, the mailboxes that refuse it, and the behaviour that
//! Microsoft's documentation leaves open. Data only.

use std::collections::BTreeSet;

/// An application permission, or the Exchange role of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GraphPermission {
    /// `Calendars.Read`.
    CalendarsRead,
    /// `Calendars.ReadWrite`.
    CalendarsReadWrite,
    /// `Mail.ReadBasic`: Sent Items and other mail folders, without bodies.
    MailReadBasic,
    /// `MailboxItem.Read`: items of any folder, without their content.
    MailboxItemRead,
    /// `Place.Read.All`: rooms and room lists.
    PlaceReadAll,
    /// `User.ReadBasic.All`: names and addresses of people.
    UserReadBasicAll,
    /// `User.Read.All`: `translateExchangeIds`.
    UserReadAll,
}

impl GraphPermission {
    /// Every permission.
    pub const ALL: [Self; 7] = [
        Self::CalendarsRead,
        Self::CalendarsReadWrite,
        Self::MailReadBasic,
        Self::MailboxItemRead,
        Self::PlaceReadAll,
        Self::UserReadBasicAll,
        Self::UserReadAll,
    ];
}

/// Options of simulated Graph. The management scope is the world's: `World::allow_impersonation_of` limits Graph as it
/// limits EWS.
#[derive(Debug, Clone)]
pub struct GraphOptions {
    /// The audience that an access token needs: the cloud's Graph root.
    pub audience: String,
    /// The application's permissions.
    pub permissions: BTreeSet<GraphPermission>,
    /// Addresses of mailboxes that an application access policy blocks.
    pub blocked_by_policy: BTreeSet<String>,
    /// Addresses of mailboxes on premises, which Graph does not open.
    pub on_premises: BTreeSet<String>,
    /// Limit of requests that one mailbox serves at the same time.
    pub concurrent_requests: usize,
    /// `Retry-After` of a request above the limit, in seconds.
    pub retry_after: u64,
    /// Whether responses, updates and cancellations leave a copy in Sent Items. Not documented.
    pub keeps_sent_copies: bool,
    /// Whether `GET` by id still finds an event in Deleted Items. Not documented.
    pub shows_deleted_events: bool,
    /// Whether `calendarView` expands extended properties. Not documented.
    pub expands_views: bool,
    /// Whether accept, decline and cancel compare `If-Match`. Not documented.
    pub guards_responses: bool,
    /// Whether an update is stored although `If-Match` names another version: a server against the documentation.
    pub ignores_if_match: bool,
    /// Whether a repeated `transactionId` creates another event: a server against the documentation.
    pub repeats_transactions: bool,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            audience: "https://graph.microsoft.com".to_owned(),
            permissions: BTreeSet::from([GraphPermission::CalendarsReadWrite]),
            blocked_by_policy: BTreeSet::new(),
            on_premises: BTreeSet::new(),
            concurrent_requests: 4,
            retry_after: 1,
            keeps_sent_copies: true,
            shows_deleted_events: false,
            expands_views: false,
            guards_responses: false,
            ignores_if_match: false,
            repeats_transactions: false,
        }
    }
}

impl GraphOptions {
    /// The default options with every permission.
    pub fn with_all_permissions() -> Self {
        Self { permissions: BTreeSet::from(GraphPermission::ALL), ..Self::default() }
    }

    /// Adds permissions.
    #[must_use]
    pub fn permit(mut self, permissions: impl IntoIterator<Item = GraphPermission>) -> Self {
        self.permissions.extend(permissions);
        self
    }

    /// Removes a permission.
    #[must_use]
    pub fn deny(mut self, permission: GraphPermission) -> Self {
        self.permissions.remove(&permission);
        self
    }

    /// Blocks a mailbox by an application access policy.
    #[must_use]
    pub fn block_by_policy(mut self, address: &str) -> Self {
        self.blocked_by_policy.insert(address.to_lowercase());
        self
    }

    /// Makes a mailbox one on premises.
    #[must_use]
    pub fn place_on_premises(mut self, address: &str) -> Self {
        self.on_premises.insert(address.to_lowercase());
        self
    }
}
