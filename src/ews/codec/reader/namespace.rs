//! Namespaces: which prefix means what, and for how long.
//!
//! Compares declared names, never prefixes; names are compared after their references are resolved (Namespaces in XML 1.0,
//! 2.3). A linear search over a short list, because
//! [`DecodeLimits::namespaces_max`](super::super::Limits::namespaces_max) keeps it short.

use super::super::rules::text;

/// The namespaces we know by name.
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
    /// Microsoft's documentation has `https://schemas…` where servers write `http://schemas…` (a defect of its build;
    /// no captured answer has it). Simulators and recorded mocks copy the documentation, so both are understood. The
    /// scanner knows nothing of it: such a body takes the reader's path.
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

    /// Either version of SOAP.
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
    /// `xmlns:p=""`: the prefix means nothing from here on.
    undeclares: bool,
}

impl<'a> NamespaceScopes<'a> {
    pub(super) fn new() -> Self {
        Self { declared: Vec::new() }
    }

    /// `prefix` (empty: the default) means `uri`, as written, from the element at `level` inward.
    pub(super) fn declare(&mut self, level: usize, prefix: &'a str, uri: &'a str) {
        let name = text::attribute(uri);
        let (namespace, undeclares) = (Namespace::from_uri(&name), name.is_empty());
        self.declared.push(NamespaceDeclaration { level, prefix, uri, namespace, undeclares });
    }

    /// Forgets what the element at `level` declared.
    pub(super) fn leave_element(&mut self, level: usize) {
        while self.declared.last().is_some_and(|declaration| declaration.level >= level) {
            self.declared.pop();
        }
    }

    /// What `prefix` means now. `None`: nothing declares it.
    pub(super) fn resolve(&self, prefix: &str) -> Option<(Namespace, &'a str)> {
        match self.declared.iter().rev().find(|declaration| declaration.prefix == prefix) {
            Some(declaration) if declaration.undeclares && !prefix.is_empty() => None,
            Some(declaration) => Some((declaration.namespace, declaration.uri)),
            None if prefix.is_empty() => Some((Namespace::None, "")),
            None if prefix == "xml" => Some((Namespace::Other, "http://www.w3.org/XML/1998/namespace")),
            None => None,
        }
    }

    /// How many declarations are in force.
    pub(super) fn len(&self) -> usize {
        self.declared.len()
    }
}
