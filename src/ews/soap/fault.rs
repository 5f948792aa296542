//! SOAP faults, and the version header of responses. Only values: the decoders fill them.

use serde::Serialize;

use crate::ews::code::ResponseCode;
use crate::ews::types::{MessageXmlEntry, Text};

/// `h:ServerVersionInfo`: the build of the server that responded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ServerVersionInfo<'a> {
    /// `MajorVersion`: 14 is 2010, 15 is everything since 2013.
    pub major: Option<u32>,
    /// `MinorVersion`.
    pub minor: Option<u32>,
    /// `MajorBuildNumber`.
    pub major_build: Option<u32>,
    /// `MinorBuildNumber`.
    pub minor_build: Option<u32>,
    /// `Version`: its schema version, such as `V2017_07_11`.
    pub version: Option<Text<'a>>,
}

/// A fault of SOAP 1.1 or 1.2.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SoapFault<'a> {
    /// `faultcode` (or `Code/Value`), without its prefix: `ErrorServerBusy`, `Client`, …
    pub fault_code: Option<Text<'a>>,
    /// `detail/e:ResponseCode`: the response code; decisions use nothing else.
    pub response_code: Option<ResponseCode<'a>>,
    /// `faultstring` (or `Reason/Text`). Localized; for people.
    pub text: Option<Text<'a>>,
    /// `detail/e:Message`. Localized; for people.
    pub message: Option<Text<'a>>,
    /// `detail/t:MessageXml`: details, such as `BackOffMilliseconds`.
    pub message_xml: Vec<MessageXmlEntry<'a>>,
}

impl<'a> SoapFault<'a> {
    /// The code for decisions: the detail's response code, else the fault code (availability faults have no detail code).
    pub fn code(&self) -> Option<&str> {
        self.response_code.as_ref().map(|code| &*code.0).or(self.fault_code.as_deref())
    }
}
