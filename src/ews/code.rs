//! Response codes: what Exchange says, and the one table that says what each means for us.
use std::borrow::Cow;

use serde::Serialize;

/// A response code, kept verbatim: unknown ones are as good as known ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ResponseCode<'a>(pub Cow<'a, str>);
