//! A process that serves the API, until it is dropped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::http::send_and_read;
use crate::wait::wait_until_async;

pub struct ServedProcess {
    pub child: Child,
    /// Where it listens: host and port.
    pub at: String,
}

impl ServedProcess {
    /// Starts the command and waits for the line that names its address; `None` if the process prints another one.
    pub(crate) fn start(mut command: Command) -> Option<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let at = line.trim().split_once("://").map(|(_, at)| at.to_owned()).unwrap_or_default();
        let served = Self { child, at };
        (!served.at.is_empty()).then_some(served)
    }

    /// Sends a request without a body on a connection of its own. A process that is killed meanwhile does not respond.
    pub async fn send(&self, token: &str, request: &str, headers: &str) -> String {
        let text = format!(
            "{request} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: 0\r\n\
             {headers}\r\n"
        );
        send_and_read(&self.at, &text).await.unwrap_or_default()
    }

    /// Waits until the service has read this key, which was created while it runs.
    pub async fn until_known(&self, token: &str) {
        wait_until_async("the key is known", async || {
            self.send(token, "GET /v1/me", "").await.starts_with("HTTP/1.1 200")
        })
        .await;
    }

    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal to the process that was started, by its id.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

/// A test that fails leaves no process behind.
impl Drop for ServedProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
