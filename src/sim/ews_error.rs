//! Errors in Exchange's form: a response code, a text and `MessageXml`. `soap_response` writes them.

use roxmltree::Node;

use super::xml::escape;

/// An EWS error: of one item, or of the whole request as a SOAP fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EwsError {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    /// Content of `MessageXml`.
    pub(crate) xml: Option<String>,
}

impl EwsError {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), xml: None }
    }

    pub(crate) fn with_xml(self, xml: impl Into<String>) -> Self {
        Self { xml: Some(xml.into()), ..self }
    }

    /// The schema validation error at `node`.
    pub(crate) fn schema_violation(node: Node<'_, '_>, violation: &str) -> Self {
        let at = node.document().text_pos_at(node.range().start);
        let xml = format!(
            "<t:LineNumber>{}</t:LineNumber><t:LinePosition>{}</t:LinePosition><t:Violation>{}</t:Violation>",
            at.row,
            at.col,
            escape(violation)
        );
        Self::new("ErrorSchemaValidation", format!("The request failed schema validation: {violation}"))
            .with_xml(xml)
    }
}
