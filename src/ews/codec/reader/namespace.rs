//! Resolves namespace prefixes within their scopes.
//!
//! Never compares prefixes, only declared names, after resolving their references (Namespaces in XML 1.0, 2.3). A linear search over
//! a list that [`DecodeLimits::namespaces_max`](super::super::DecodeLimits::namespaces_max) keeps short.

use super::super::rules::text;

/// The known namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    None,
    Soap11,
    Soap12,
    Messages,
    Types,
    Errors,
    Other,
}

impl Namespace {
    /// # Quirk: `https` namespaces
    ///
    /// Microsoft's documentation writes `https://schemas…` where servers write `http://schemas…` (a defect of its build; no captured
    /// response has it). Simulators and recorded mocks copy the documentation, so both are accepted. The scanner declines such a
    /// body, and the reader decodes it.
    fn from_uri(uri: &str) -> Self {
        let Some(rest) = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")) else {
            return if uri.is_empty() { Self::None } else { Self::Other };
        };
        match rest {
            "schemas.xmlsoap.org/soap/envelope/" => Self::Soap11,
            "www.w3.org/2003/05/soap-envelope" => Self::Soap12,
            "schemas.microsoft.com/exchange/services/2006/messages" => Self::Messages,
            "schemas.microsoft.com/exchange/services/2006/types" => Self::Types,
            "schemas.microsoft.com/exchange/services/2006/errors" => Self::Errors,
            _ => Self::Other,
        }
    }

    /// Whether this is a SOAP namespace of either version.
    pub(super) fn is_soap(self) -> bool {
        matches!(self, Self::Soap11 | Self::Soap12)
    }
}

/// The declarations in force, innermost last.
pub(super) struct NamespaceScopes<'a> {
    declared: Vec<NamespaceDeclaration<'a>>,
}

struct NamespaceDeclaration<'a> {
    level: usize,
    prefix: &'a str,
    uri: &'a str,
    namespace: Namespace,
    /// `xmlns:p=""`: removes the prefix's declaration.
    undeclares: bool,
}

impl<'a> NamespaceScopes<'a> {
    pub(super) fn new() -> Self {
        Self { declared: Vec::new() }
    }

    /// Declares `prefix` (empty: the default namespace) as `uri`, as written, from the element at `level` inward.
    pub(super) fn declare(&mut self, level: usize, prefix: &'a str, uri: &'a str) {
        let name = text::attribute(uri);
        let (namespace, undeclares) = (Namespace::from_uri(&name), name.is_empty());
        self.declared.push(NamespaceDeclaration { level, prefix, uri, namespace, undeclares });
    }

    /// Removes the declarations of the element at `level`.
    pub(super) fn leave_element(&mut self, level: usize) {
        while self.declared.last().is_some_and(|declaration| declaration.level >= level) {
            self.declared.pop();
        }
    }

    /// The namespace of `prefix`. `None`: not declared.
    pub(super) fn resolve(&self, prefix: &str) -> Option<(Namespace, &'a str)> {
        match self.declared.iter().rev().find(|declaration| declaration.prefix == prefix) {
            Some(declaration) if declaration.undeclares && !prefix.is_empty() => None,
            Some(declaration) => Some((declaration.namespace, declaration.uri)),
            None if prefix.is_empty() => Some((Namespace::None, "")),
            None if prefix == "xml" => Some((Namespace::Other, "http://www.w3.org/XML/1998/namespace")),
            None => None,
        }
    }

    /// Number of declarations in force.
    pub(super) fn len(&self) -> usize {
        self.declared.len()
    }
}
