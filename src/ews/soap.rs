//! Envelope, headers, faults.
