//! Span export: a request's spans under the caller's own span.

use std::sync::{Arc, Mutex};

use adjourn_test::room_name;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::installed::install;
use crate::served::{PATIENT_PRESS, key, serve_with};

/// A collector that accepts everything.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::<Mutex<Vec<u8>>>::default();
    let kept = taken.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 65_536];
                while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                    kept.lock().unwrap().extend_from_slice(&buffer[..len]);
                    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, taken)
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_its_action_and_what_was_asked_of_exchange_are_one_trace() {
    let office = install(1).await;
    let (url, taken) = collector().await;
    let mut served = serve_with(&office, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    let token = key(&office).await;
    served.until_known(&token).await;
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = format!("POST /v1/rooms/{}/end", room_name(0));
    let said = served.send(&token, &request, &format!("{PATIENT_PRESS}{parent}\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    served.terminate();
    let status = tokio::task::spawn_blocking(move || served.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    let taken = taken.lock().unwrap().clone();
    assert!(contains(&taken, b"POST /v1/traces"), "{}", String::from_utf8_lossy(&taken));
    for name in ["request", "action", "exchange", "UpdateItem", "adjourn", "done"] {
        assert!(contains(&taken, name.as_bytes()), "{name}: {}", String::from_utf8_lossy(&taken));
    }
    let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
    let spans = taken.windows(trace.len()).filter(|window| *window == trace).count();
    assert!(spans >= 4, "{spans} spans of the caller's trace: the request, the action, a read and a write");
    assert!(!contains(&taken, b"calc"), "no subject");
    assert!(!contains(&taken, token.as_bytes()), "no secret");
}
