//! Scans faults of SOAP 1.1 in Exchange's order, each child by one literal. Declines every other fault.

use super::cursor::Cursor;
use super::declarations::namespace;
use super::declined::ScanResult;
use super::markup::Tag;
use super::message;
use crate::ews::code::ResponseCode;
use crate::ews::soap::SoapFault;
use crate::ews::types::Text;

/// The start tag of an element that declares its own prefix.
macro_rules! start_tag {
    ($prefix:literal : $name:literal in $namespace:ident) => {
        concat!("<", $prefix, ":", $name, " xmlns:", $prefix, "=\"", namespace!($namespace), "\">")
    };
}

/// The qualified code names the types namespace by the prefix `a`.
const FAULT_CODE: &str = concat!("<faultcode xmlns:a=\"", namespace!(types), "\">a:");

/// Content and end tag of `s:Fault`, into an empty one. Its children must have no default namespace.
pub(super) fn fault<'a>(cursor: &mut Cursor<'a>, fault: &mut SoapFault<'a>) -> ScanResult<()> {
    next(cursor, FAULT_CODE)?;
    fault.fault_code = Some(Text::Borrowed(cursor.token()?));
    cursor.expect_literal("</faultcode>")?;
    next(cursor, "<faultstring xml:lang=\"")?;
    cursor.plain_attribute()?;
    cursor.expect_literal("\">")?;
    cursor.text_into(&mut fault.text)?;
    cursor.expect_literal("</faultstring>")?;
    next(cursor, "<detail>")?;
    detail(cursor, fault)?;
    next(cursor, "</s:Fault>")
}

/// Content and end tag of `detail`.
#[inline]
fn detail<'a>(cursor: &mut Cursor<'a>, fault: &mut SoapFault<'a>) -> ScanResult<()> {
    next(cursor, start_tag!("e":"ResponseCode" in errors))?;
    fault.response_code = Some(ResponseCode(Text::Borrowed(cursor.token()?)));
    cursor.expect_literal("</e:ResponseCode>")?;
    next(cursor, start_tag!("e":"Message" in errors))?;
    cursor.text_into(&mut fault.message)?;
    cursor.expect_literal("</e:Message>")?;
    cursor.skip_white_space();
    if cursor.skip_literal(start_tag!("t":"MessageXml" in types)) {
        message::entries(cursor, &Tag::plain("t:MessageXml"), &mut fault.message_xml)?;
    }
    next(cursor, "</detail>")
}

/// Skips `literal`, and white space before it.
#[inline(always)]
fn next(cursor: &mut Cursor<'_>, literal: &str) -> ScanResult<()> {
    cursor.skip_white_space();
    cursor.expect_literal(literal)
}
