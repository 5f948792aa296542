//! Certificate revocation lists (RFC 5280, 5) for callers' certificates: read from a PEM file, with the time until which they are
//! up to date.
//!
//! A list past its `nextUpdate` is used all the same, and the log says so every hour: what it revokes stays revoked, and a
//! list that was not renewed in time does not lock every display out. A caller still needs a key.

use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

use crate::text_file;

/// The largest file of revocation lists: about a hundred thousand revoked certificates.
const CRL_BYTES_MAX: u64 = 8 << 20;

/// The lists of one file.
#[derive(Debug)]
pub(super) struct RevocationLists {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    /// When the first of them is out of date; `None` where none says.
    pub(super) next_update: Option<SystemTime>,
}

impl RevocationLists {
    /// Reads every list of a PEM file, or says what is wrong with it; a file without any is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = text_file::read(path, CRL_BYTES_MAX).map_err(|error| error.to_string())?;
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(text.as_bytes()).collect();
        let lists = lists.map_err(|error| error.to_string())?;
        if lists.is_empty() {
            return Err("there is no revocation list (X509 CRL) in it".to_owned());
        }
        let updates: Result<Vec<_>, _> = lists.iter().map(next_update).collect();
        Ok(Self { next_update: updates?.into_iter().flatten().min(), lists })
    }
}

fn next_update(list: &CertificateRevocationListDer<'_>) -> Result<Option<SystemTime>, String> {
    let list = <CertificateList>::from_der(list)
        .map_err(|error| format!("a revocation list is damaged: {error}"))?;
    Ok(list.tbs_cert_list.next_update.map(|time| time.to_system_time()))
}
