//! The addresses of Microsoft's clouds: Entra, Exchange Online and Graph. Sends nothing.

use super::file::Cloud;

impl Cloud {
    /// Its token endpoint's host (Microsoft, "National clouds", authentication endpoints; "Get-MgEnvironment" for the last three).
    pub(super) fn authority(self) -> &'static str {
        match self {
            Self::Worldwide => "https://login.microsoftonline.com",
            Self::UsGovernment | Self::UsGovernmentDod => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
            Self::Bleu => "https://login.sovcloud-identity.fr",
            Self::Delos => "https://login.sovcloud-identity.de",
            Self::GovSg => "https://login.sovcloud-identity.sg",
        }
    }

    /// Its Exchange's host; `None` where Microsoft documents none.
    pub(super) fn exchange(self) -> Option<&'static str> {
        match self {
            Self::Worldwide => Some("https://outlook.office365.com"),
            Self::UsGovernment => Some("https://outlook.office365.us"),
            Self::UsGovernmentDod => Some("https://outlook-dod.office365.us"),
            Self::China => Some("https://partner.outlook.cn"),
            Self::Bleu | Self::Delos | Self::GovSg => None,
        }
    }

    /// The root of its Graph (Microsoft, "National clouds", service root endpoints; "Get-MgEnvironment").
    pub(super) fn graph(self) -> &'static str {
        match self {
            Self::Worldwide => "https://graph.microsoft.com",
            Self::UsGovernment => "https://graph.microsoft.us",
            Self::UsGovernmentDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
            Self::Bleu => "https://graph.svc.sovcloud.fr",
            Self::Delos => "https://graph.svc.sovcloud.de",
            Self::GovSg => "https://graph.svc.sovcloud.sg",
        }
    }
}
