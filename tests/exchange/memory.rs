//! Memory budget for responses: many large ones at once share it, and a small body that inflates beyond the limit is
//! rejected.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use adjourn::engine::ErrorKind;
use adjourn::exchange::{ANSWER_BYTES_MAX, BUDGET_BYTES, FREE_BYTES, RequestError, answer_bytes};
use adjourn_test::{exchange, numbered_room};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::conversation::{message, settings};
use crate::script::{Reaction, ScriptedServer};

const ROOMS: usize = 40;
/// The decoder stops at the first byte.
const NOT_UTF_8: u8 = 0xFF;
/// Requests of this program's other tests, whose responses count too.
const OTHERS: usize = 64;

#[tokio::test]
async fn forty_rooms_that_answer_at_once_with_the_largest_bodies_stay_within_the_budget() {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(&vec![NOT_UTF_8; ANSWER_BYTES_MAX]).unwrap();
    let zipped = zip.finish().unwrap();
    assert!(zipped.len() < 64 << 10, "a small body hides a large one");
    let folder = "<m:Folders><t:CalendarFolder><t:FolderId Id=\"F\"/></t:CalendarFolder></m:Folders>";
    let known = message("GetFolder", "Success", "NoError", folder);
    let plain = vec![NOT_UTF_8; ANSWER_BYTES_MAX];
    // A final status, so that each response is received once.
    let script = ScriptedServer::answering(move |number, _| match number {
        0 => Reaction::Answer(200, "Content-Type: text/xml\r\n", known.clone()),
        number if number % 5 == 0 => Reaction::Answer(403, "Content-Encoding: gzip\r\n", zipped.clone()),
        _ => Reaction::Answer(403, "", plain.clone()),
    })
    .await;
    let mut settings = settings(&script);
    (settings.max_concurrent_requests, settings.operation_timeout) =
        (ROOMS.try_into().unwrap(), Duration::from_secs(120));
    (settings.first_byte_timeout, settings.response_timeout) =
        (Duration::from_secs(60), Duration::from_secs(60));
    let exchange = Arc::new(exchange(&settings));
    // Before the server has accepted the account, requests go one after another.
    exchange.check_calendar(&numbered_room(0)).await.unwrap();
    let all = (0..ROOMS).map(|number| {
        let (exchange, room) = (exchange.clone(), numbered_room(number));
        tokio::spawn(async move { exchange.check_calendar(&room).await })
    });
    for answer in all.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(RequestError::Refused(ErrorKind::ApiDisabled, _))), "{answer:?}");
    }
    let (_, highest) = answer_bytes();
    let bound = BUDGET_BYTES + (ROOMS + OTHERS) * FREE_BYTES;
    assert!(highest <= bound, "{highest} of {bound}");
    assert!(highest > BUDGET_BYTES / 2, "they were received at once: {highest}");
}
