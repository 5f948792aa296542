//! Displays: persistent connections to the API, and their requests.

use adjourn_test::room_name;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::building::Building;

pub struct Display {
    connection: SendRequest<Full<Bytes>>,
    token: String,
}

impl Display {
    pub async fn open(building: &Building) -> Self {
        let stream = TcpStream::connect(&building.served.at).await.expect("the service listens");
        stream.set_nodelay(true).expect("a socket");
        let (connection, driver) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(driver);
        Self { connection, token: format!("Bearer {}", building.token) }
    }

    /// Ends the current event; returns the action's id.
    pub async fn end(&mut self, number: usize) -> String {
        let said = self.ask(Method::POST, &format!("/v1/rooms/{}/end", room_name(number))).await;
        let said: Value = serde_json::from_slice(&said).expect("JSON");
        said["id"].as_str().expect("a name").to_owned()
    }

    /// Reads a room's state.
    pub async fn read(&mut self, number: usize) {
        let said = self.ask(Method::GET, &format!("/v1/rooms/{}", room_name(number))).await;
        assert!(said.starts_with(b"{\"id\""), "{said:?}");
    }

    async fn ask(&mut self, method: Method, path: &str) -> Bytes {
        let request = Request::builder().method(method).uri(path).header("host", "adjourn");
        let request = request.header("authorization", &self.token).body(Full::default()).expect("a request");
        let answer = self.connection.send_request(request).await.expect("an answer");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(status, 200, "{path}: {body:?}");
        body
    }
}

/// A set of displays, each with one request at a time.
pub struct Displays {
    back: mpsc::Sender<Display>,
    free: Mutex<mpsc::Receiver<Display>>,
}

impl Displays {
    pub async fn open(building: &Building, count: usize) -> Self {
        let (back, free) = mpsc::channel(count);
        for _ in 0..count {
            back.send(Display::open(building).await).await.expect("room for all");
        }
        Self { back, free: Mutex::new(free) }
    }

    pub async fn end(&self, number: usize) -> String {
        let mut display = self.free.lock().await.recv().await.expect("a display");
        let action = display.end(number).await;
        self.back.send(display).await.expect("room for all");
        action
    }
}
