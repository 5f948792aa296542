//! Reads certificates and private keys from PEM files (RFC 7468). Checks neither: that is the task of TLS.

use std::io;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::text_file;

/// Largest PEM file that is read: a whole platform store has a quarter of a megabyte.
const PEM_BYTES_MAX: u64 = 4 << 20;

/// Why a PEM file cannot be used. The error around it names the file.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The file is not PEM, or has no private key.
    #[error(transparent)]
    Syntax(#[from] pem::Error),
    /// The file has other sections only.
    #[error("the file contains no certificate")]
    NoCertificate,
}

/// All certificates of a PEM file; a file without any is an error.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = text_file::read(path, PEM_BYTES_MAX)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(PemError::NoCertificate) } else { Ok(found) }
}

/// The first private key of a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = text_file::read(path, PEM_BYTES_MAX)?;
    Ok(PrivateKeyDer::from_pem_slice(text.as_bytes())?)
}
