//! The simulated release of Exchange: its version header, the schema versions it accepts, and the features it lacks.

use roxmltree::Node;

use super::ews_error::EwsError;

/// The values of `RequestServerVersion`, oldest first.
const VERSIONS: [&str; 9] = [
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2015",
    "Exchange2016",
];

/// A release of Exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExchangeRelease {
    /// Exchange Server 2010 with Service Pack 2.
    Exchange2010Sp2,
    /// Exchange Server 2013.
    Exchange2013,
    /// Exchange Server 2013 with Service Pack 1.
    Exchange2013Sp1,
    /// Exchange Server 2016.
    Exchange2016,
    /// Exchange Server Subscription Edition.
    #[default]
    SubscriptionEdition,
    /// Exchange Online.
    Online,
}

impl ExchangeRelease {
    /// The attributes of `ServerVersionInfo` in builds of that release.
    pub(crate) fn version_attributes(self) -> &'static str {
        match self {
            Self::Exchange2010Sp2 => {
                r#"MajorVersion="14" MinorVersion="2" MajorBuildNumber="328" MinorBuildNumber="9" Version="Exchange2010_SP2""#
            }
            Self::Exchange2013 => {
                r#"MajorVersion="15" MinorVersion="0" MajorBuildNumber="516" MinorBuildNumber="32" Version="Exchange2013""#
            }
            Self::Exchange2013Sp1 => {
                r#"MajorVersion="15" MinorVersion="0" MajorBuildNumber="1210" MinorBuildNumber="2" Version="V2_23""#
            }
            Self::Exchange2016 => {
                r#"MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507" MinorBuildNumber="39" Version="V2017_07_11""#
            }
            Self::SubscriptionEdition => {
                r#"MajorVersion="15" MinorVersion="2" MajorBuildNumber="2562" MinorBuildNumber="17" Version="V2017_07_11""#
            }
            Self::Online => {
                r#"MajorVersion="15" MinorVersion="20" MajorBuildNumber="9412" MinorBuildNumber="18" Version="V2018_01_08""#
            }
        }
    }

    /// Whether it accepts this schema version in a request.
    pub(crate) fn supports(self, version: &str) -> bool {
        let newest = match self {
            Self::Exchange2010Sp2 => "Exchange2010_SP2",
            Self::Exchange2013 => "Exchange2013",
            Self::Exchange2013Sp1 => "Exchange2013_SP1",
            Self::Exchange2016 | Self::SubscriptionEdition | Self::Online => "Exchange2016",
        };
        let age = |wanted: &str| VERSIONS.iter().position(|version| *version == wanted);
        age(version).is_some_and(|requested| Some(requested) <= age(newest))
    }

    /// The schema error for a request that uses a newer feature.
    pub(crate) fn validate(self, operation: Node<'_, '_>) -> Result<(), EwsError> {
        if self != Self::Exchange2010Sp2 {
            return Ok(());
        }
        match operation.descendants().find(|node| node.attribute("FieldURI") == Some("calendar:IsOrganizer"))
        {
            None => Ok(()),
            Some(node) => Err(EwsError::schema_violation(node, "The 'FieldURI' attribute is invalid.")),
        }
    }
}

/// The schema error for streaming in a schema version without it. A request without a version counts as one of the
/// first.
pub(crate) fn validate_streaming(version: Option<&str>, operation: Node<'_, '_>) -> Result<(), EwsError> {
    let age = |version: &str| VERSIONS.iter().position(|known| *known == version);
    let has_streaming = version.is_some_and(|version| age(version) >= age("Exchange2010_SP1"));
    let streaming =
        operation.descendants().find(|node| node.tag_name().name() == "StreamingSubscriptionRequest");
    let name = operation.tag_name().name();
    match streaming.or((name == "GetStreamingEvents").then_some(operation)) {
        Some(node) if !has_streaming => Err(EwsError::schema_violation(
            node,
            &format!("The element '{}' is unknown in this version.", node.tag_name().name()),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_knows_its_own_version_and_older_ones() {
        assert!(ExchangeRelease::Exchange2010Sp2.supports("Exchange2010_SP1"));
        assert!(!ExchangeRelease::Exchange2010Sp2.supports("Exchange2013"));
        assert!(
            ExchangeRelease::Exchange2013.supports("Exchange2013")
                && !ExchangeRelease::Exchange2013.supports("Exchange2013_SP1")
        );
        assert!(ExchangeRelease::Online.supports("Exchange2016"));
        assert!(!ExchangeRelease::SubscriptionEdition.supports("Exchange2019"), "there is no such version");
    }
}
