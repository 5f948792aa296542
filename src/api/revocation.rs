//! Reads certificate revocation lists (RFC 5280, 5) for client certificates from a PEM file, and the time until which they are
//! current.
//!
//! A list past its `nextUpdate` is still used, with a log line every hour: revoked certificates stay revoked, and a late renewal
//! does not lock out all displays. A caller still needs a key.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::{self, PemObject as _};
use x509_cert::crl::CertificateList;
use x509_cert::der::{self, Decode as _};

use crate::text_file;

/// Bytes of a file of revocation lists: about a hundred thousand revoked certificates.
const CRL_BYTES_MAX: u64 = 8 << 20;

/// The revocation lists of one file.
#[derive(Debug)]
pub(super) struct RevocationLists {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    /// The earliest `nextUpdate`; `None` if no list has one.
    pub(super) next_update: Option<SystemTime>,
}

/// Why a file of revocation lists cannot be used. The error around it names the file.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The file is not PEM.
    #[error(transparent)]
    Syntax(#[from] pem::Error),
    /// The file has other sections only.
    #[error("the file has no revocation list (X509 CRL)")]
    NoList,
    /// A list is not a revocation list inside.
    #[error("a revocation list is damaged")]
    Damaged(#[source] der::Error),
}

impl RevocationLists {
    /// Reads all lists of a PEM file. A file without a list is an error.
    pub(super) fn read(path: &Path) -> Result<Self, RevocationError> {
        let text = text_file::read(path, CRL_BYTES_MAX)?;
        let lists: Vec<_> =
            CertificateRevocationListDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>()?;
        if lists.is_empty() {
            return Err(RevocationError::NoList);
        }
        let updates: Result<Vec<_>, _> = lists.iter().map(next_update).collect();
        Ok(Self { next_update: updates?.into_iter().flatten().min(), lists })
    }
}

fn next_update(list: &CertificateRevocationListDer<'_>) -> Result<Option<SystemTime>, RevocationError> {
    let list = <CertificateList>::from_der(list).map_err(RevocationError::Damaged)?;
    Ok(list.tbs_cert_list.next_update.map(|time| time.to_system_time()))
}
