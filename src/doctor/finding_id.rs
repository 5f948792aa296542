//! Stable names of the doctor's warnings and failures. Programs compare them, and `docs/troubleshooting.md` explains each one. A
//! name that was released never changes its meaning.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! finding_ids {
    ($($(#[$doc:meta])* $variant:ident = $id:literal,)*) => {
        /// The name of a warning or failure of the doctor.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FindingId {
            $($(#[$doc])* $variant,)*
        }

        /// Every finding that the doctor can warn of or fail with.
        pub const FINDINGS: &[FindingId] = &[$(FindingId::$variant,)*];

        impl FindingId {
            /// As reports print it: `certificate-expired`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)*
                }
            }
        }
    };
}

finding_ids! {
    /// DNS does not resolve the server's host name.
    NameNotResolved = "name-not-resolved",
    /// No TCP connection to the server.
    ConnectionFailed = "connection-failed",
    /// The HTTP proxy refused the connection, or did not respond.
    ProxyFailed = "proxy-failed",
    /// The server's certificate has expired.
    CertificateExpired = "certificate-expired",
    /// The server's certificate expires within three weeks.
    CertificateExpiresSoon = "certificate-expires-soon",
    /// The server's certificate is not valid yet.
    CertificateNotYetValid = "certificate-not-yet-valid",
    /// The server's certificate is for another name.
    CertificateWrongName = "certificate-wrong-name",
    /// The issuer of the server's certificate is not trusted.
    CertificateUnknownIssuer = "certificate-unknown-issuer",
    /// The server's certificate is marked as that of an authority.
    CertificateIsAuthority = "certificate-is-authority",
    /// The server's certificate has another fault.
    CertificateInvalid = "certificate-invalid",
    /// The server demands a client certificate, or rejects the one it received.
    ClientCertificateRejected = "client-certificate-rejected",
    /// The port speaks no TLS, or no HTTP.
    NotTls = "not-tls",
    /// The TLS handshake failed.
    TlsFailed = "tls-failed",
    /// The server accepted the connection and sent no HTTP response.
    NoHttpResponse = "no-http-response",
    /// The URL begins with http, and the port accepts TLS only.
    HttpsRequired = "https-required",
    /// Autodiscover found the server of no room.
    AutodiscoverFailed = "autodiscover-failed",
    /// No configured room belongs to the connection.
    NoRoomConfigured = "no-room-configured",
    /// The server refuses EWS before sign-in.
    EwsForbidden = "ews-forbidden",
    /// The URL is not that of EWS.
    EwsWrongPath = "ews-wrong-path",
    /// A login form stands in front of EWS.
    EwsLoginForm = "ews-login-form",
    /// The server or its load balancer is out of order.
    EwsServerError = "ews-server-error",
    /// EWS is turned off.
    EwsDisabled = "ews-disabled",
    /// Exchange Online turns EWS off on 1 April 2027.
    EwsRetirement = "ews-retirement",
    /// The URL is not the root of Microsoft Graph.
    GraphWrongRoot = "graph-wrong-root",
    /// Microsoft Graph, or a machine in front of it, is out of order.
    GraphServerError = "graph-server-error",
    /// The clocks of server and machine differ.
    ClockSkew = "clock-skew",
    /// The database of the journal cannot be reached.
    DatabaseUnreachable = "database-unreachable",
    /// The database refuses the user, or the user lacks a right.
    DatabaseRefused = "database-refused",
    /// The server is older than PostgreSQL 14.
    DatabaseTooOld = "database-too-old",
    /// A connection pooler in front of the database shares sessions.
    DatabasePooled = "database-pooled",
    /// The database may lose what it has acknowledged.
    DatabaseMayLose = "database-may-lose-entries",
    /// The database returned another error, or its tables are not ours.
    DatabaseUnusable = "database-unusable",
    /// The server does not offer the configured sign-in method.
    SignInMethodNotOffered = "sign-in-method-not-offered",
    /// The server accepts the account only without channel binding.
    ChannelBindingUnavailable = "channel-binding-unavailable",
    /// The server requires channel binding, and it is turned off.
    ChannelBindingRequired = "channel-binding-required",
    /// The server rejects the channel binding.
    ChannelBindingRejected = "channel-binding-rejected",
    /// The token endpoint issues no token.
    TokenNotIssued = "token-not-issued",
    /// The token endpoint rejects the application's secret.
    ClientSecretRejected = "client-secret-rejected",
    /// The application's secret has expired.
    ClientSecretExpired = "client-secret-expired",
    /// The token endpoint rejects the application's certificate, or the assertion of another issuer.
    ClientAssertionRejected = "client-assertion-rejected",
    /// The token endpoint knows no such tenant.
    TenantNotFound = "tenant-not-found",
    /// The tenant has no such application, or it is disabled there.
    ApplicationNotFound = "application-not-found",
    /// The token endpoint does not accept the scope.
    TokenScopeRejected = "token-scope-rejected",
    /// The token endpoint cannot be reached.
    TokenEndpointUnreachable = "token-endpoint-unreachable",
    /// Exchange, or Microsoft Graph, rejects the token.
    TokenRejected = "token-rejected",
    /// No KDC can be reached.
    KdcUnreachable = "kdc-unreachable",
    /// Exchange rejects user name or password.
    CredentialsRejected = "credentials-rejected",
    /// The client certificate belongs to no account.
    ClientCertificateNotMapped = "client-certificate-not-mapped",
    /// The account is locked, or its password has expired.
    AccountUnusable = "account-unusable",
    /// The application lacks a permission.
    PermissionMissing = "permission-missing",
    /// The version of Exchange is not supported.
    VersionUnsupported = "version-unsupported",
    /// The first request got no usable response.
    SignInFailed = "sign-in-failed",
    /// The account may act in no configured room.
    NoRoomAccessible = "no-room-accessible",
    /// The account may not act in the room.
    RoomAccessDenied = "room-access-denied",
    /// The account may only read the room's calendar.
    RoomReadOnly = "room-read-only",
    /// No mailbox has the room's address.
    RoomNotFound = "room-not-found",
    /// EWS is turned off for the room's mailbox.
    RoomEwsDisabled = "room-ews-disabled",
    /// An application access policy excludes the room.
    RoomBlockedByPolicy = "room-blocked-by-policy",
    /// The room's mailbox is on premises, where Graph does not reach it.
    RoomOnPremises = "room-on-premises",
    /// The room cannot be read for another reason.
    RoomUnreadable = "room-unreadable",
    /// The account may act in some configured rooms only.
    RoomsIncomplete = "rooms-incomplete",
    /// No mailbox outside the scope is configured to prove it with.
    ScopeNotProven = "scope-not-proven",
    /// The account can act in a mailbox that must be out of its scope.
    ScopeTooWide = "scope-too-wide",
    /// A refusal does not prove that the mailbox is out of scope.
    ScopeUnclear = "scope-unclear",
    /// Graph refuses an optional right that the configuration names.
    OptionalRightRefused = "optional-right-refused",
    /// No response shows whether the application has an optional right.
    OptionalRightUnclear = "optional-right-unclear",
    /// Calendar processing removes the private mark, which a rule reads.
    PrivateMarkRemoved = "private-mark-removed",
    /// Exchange denies the write test.
    WriteDenied = "write-denied",
    /// The write test failed for another reason than missing rights.
    WriteFailed = "write-failed",
    /// Another program removed the event of the write test.
    WriteTestEventMissing = "write-test-event-missing",
    /// Graph changes an event although it was changed since it was read.
    StaleUpdateAccepted = "stale-update-accepted",
    /// Graph creates a second event for a repeated booking.
    RepeatedBookingDuplicated = "repeated-booking-duplicated",
    /// The write test names a room outside the configured scope.
    WriteTestOutOfScope = "write-test-out-of-scope",
    /// Exchange rejects a new end on an attendee copy.
    EndUpdateRejected = "end-update-rejected",
    /// A configured room list cannot be read.
    RoomListUnreadable = "room-list-unreadable",
    /// A configured room belongs to no connection.
    RoomWithoutConnection = "room-without-connection",
    /// The configuration of a connection cannot be used.
    ConfigurationUnusable = "configuration-unusable",
    /// Other users can read or change a secret, or the state directory.
    FilePermissions = "file-permissions",
}

impl Serialize for FindingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
