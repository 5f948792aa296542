//! Paging: `IndexedPageItemView`, `FractionalPageItemView` and their counterparts for folders. Selects the rows of a
//! page; reads no row.

use std::ops::Range;

use roxmltree::Node;

use crate::sim::ews_error::EwsError;
use crate::sim::soap_request::{enum_attribute, m};

/// The selected rows.
pub(super) struct PageSlice {
    pub(super) range: Range<usize>,
    /// Offset of the next page.
    pub(super) next: usize,
    /// Whether this is the last page.
    pub(super) last: bool,
}

/// The page of `total` rows that a request selects, at most `limit` rows.
pub(super) fn slice(request: Node<'_, '_>, total: usize, limit: usize) -> Result<PageSlice, EwsError> {
    let indexed = m(request, "IndexedPageItemView").or_else(|| m(request, "IndexedPageFolderView"));
    if let Some(view) = indexed {
        let (offset, max) = (offset(view)?, entries_max(view)?.unwrap_or(limit).min(limit));
        let from_the_end = enum_attribute(view, "BasePoint", &["Beginning", "End"])? == Some("End");
        return Ok(if from_the_end { backward(total, offset, max) } else { forward(total, offset, max) });
    }
    let fractional = m(request, "FractionalPageItemView").or_else(|| m(request, "FractionalPageFolderView"));
    if let Some(view) = fractional {
        let max = entries_max(view)?.unwrap_or(limit).min(limit);
        return Ok(forward(total, fraction(view, total)?, max));
    }
    Ok(forward(total, 0, limit))
}

fn forward(total: usize, offset: usize, max: usize) -> PageSlice {
    let begin = offset.min(total);
    let end = total.min(begin.saturating_add(max));
    PageSlice { range: begin..end, next: end, last: end == total }
}

/// The page before `offset`, counted from the end.
fn backward(total: usize, offset: usize, max: usize) -> PageSlice {
    let end = total.saturating_sub(offset);
    let begin = end.saturating_sub(max);
    PageSlice { range: begin..end, next: total - begin, last: begin == 0 }
}

fn offset(view: Node<'_, '_>) -> Result<usize, EwsError> {
    match view.attribute("Offset").map(str::parse::<i32>) {
        Some(Ok(offset)) => usize::try_from(offset).map_err(|_| {
            EwsError::new("ErrorInvalidIndexedPagingParameters", "The offset has to be zero or more.")
        }),
        _ => Err(EwsError::schema_violation(view, "The 'Offset' attribute is missing or invalid.")),
    }
}

fn fraction(view: Node<'_, '_>, total: usize) -> Result<usize, EwsError> {
    let part = |name| view.attribute(name).and_then(|part| part.parse::<u32>().ok());
    match (part("Numerator"), part("Denominator")) {
        (Some(numerator), Some(denominator)) if denominator > 0 && numerator <= denominator => {
            let row = total as u64 * u64::from(numerator) / u64::from(denominator);
            Ok(usize::try_from(row).unwrap_or(total))
        }
        _ => Err(EwsError::new(
            "ErrorInvalidFractionalPagingParameters",
            "The numerator has to be between zero and the denominator.",
        )),
    }
}

/// `MaxEntriesReturned`, which must be positive.
pub(super) fn entries_max(view: Node<'_, '_>) -> Result<Option<usize>, EwsError> {
    match view.attribute("MaxEntriesReturned").map(str::parse::<i32>) {
        None => Ok(None),
        Some(Ok(max)) => match usize::try_from(max).ok().filter(|max| *max > 0) {
            Some(max) => Ok(Some(max)),
            None => Err(EwsError::new(
                "ErrorInvalidPagingMaxRows",
                "Paging max rows has to be greater than zero.",
            )),
        },
        Some(Err(_)) => {
            Err(EwsError::schema_violation(view, "The 'MaxEntriesReturned' attribute is invalid."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_from_both_ends() {
        let shown = |slice: PageSlice| (slice.range, slice.next, slice.last);
        assert_eq!(shown(forward(10, 0, 4)), (0..4, 4, false));
        assert_eq!(shown(forward(10, 8, 4)), (8..10, 10, true));
        assert_eq!(shown(forward(10, 80, 4)), (10..10, 10, true));
        assert_eq!(shown(backward(10, 0, 4)), (6..10, 4, false));
        assert_eq!(shown(backward(10, 8, 4)), (0..2, 10, true));
    }
}
