//! The proxy: which requests it tunnels, and how it rejects others; over raw sockets and with curl.

use adjourn::sim::{ProxyOptions, ProxyServer};
use adjourn_test::{over_tls, read_head, simulator, simulator_with, world};
use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn address(url: &str) -> String {
    url.split('/').nth(2).unwrap().to_owned()
}

/// The status of a CONNECT, and the connection after it.
async fn connect(proxy: &ProxyServer, target: &str, header: &str) -> (u16, String, TcpStream) {
    let mut stream = TcpStream::connect(address(&proxy.url())).await.unwrap();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await.unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, stream)
}

#[tokio::test]
async fn it_carries_what_it_may_and_says_why_it_does_not() {
    let sim = simulator(world()).await;
    let target = address(&sim.url());
    let proxy = ProxyServer::start(ProxyOptions::default()).await.unwrap();
    let (status, _, mut tunnel) = connect(&proxy, &target, "").await;
    assert_eq!(status, 200);
    tunnel.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tunnel.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_eq!(connect(&proxy, "127.0.0.1:1", "").await.0, 502);
    assert_eq!(proxy.tunnels(), [target.as_str(), "127.0.0.1:1"]);
    proxy.refuse_all(true);
    assert_eq!(connect(&proxy, &target, "").await.0, 503);
    proxy.refuse_all(false);
    assert_eq!(connect(&proxy, &target, "").await.0, 200);

    let choosy = ProxyServer::start(ProxyOptions {
        credentials: Some(("ada".to_owned(), "secret".to_owned())),
        allowed: Some(vec![target.clone()]),
        ..ProxyOptions::default()
    })
    .await
    .unwrap();
    let said = |pair: &str| {
        format!("Proxy-Authorization: Basic {}\r\n", base64::prelude::BASE64_STANDARD.encode(pair))
    };
    let (status, head, _) = connect(&choosy, &target, "").await;
    assert!(status == 407 && head.contains("Proxy-Authenticate: Basic"), "{head}");
    assert_eq!(connect(&choosy, &target, &said("ada:guessed")).await.0, 407);
    assert_eq!(connect(&choosy, "example.com:443", &said("ada:secret")).await.0, 403);
    assert_eq!(connect(&choosy, &target, &said("ada:secret")).await.0, 200);
    assert_eq!(choosy.tunnels(), [target]);
    choosy.stop().await;
}

#[tokio::test]
async fn curl_reaches_a_server_through_it() {
    let sim = simulator_with(world(), over_tls()).await;
    let proxy = ProxyServer::start(ProxyOptions {
        credentials: Some(("ada".to_owned(), "secret".to_owned())),
        ..ProxyOptions::default()
    })
    .await
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, sim.ca_pem().unwrap()).unwrap();
    let done = tokio::process::Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--noproxy",
            "",
            "--proxy",
            &proxy.url(),
            "--proxy-user",
            "ada:secret",
        ])
        .args(["--write-out", "%{http_code}", "--output", "/dev/null", "--cacert"])
        .arg(ca)
        .arg(sim.url())
        .output()
        .await;
    match done {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("NOT RUN: curl is not installed");
        }
        done => {
            let done = done.unwrap();
            assert_eq!(String::from_utf8_lossy(&done.stdout), "401", "{done:?}");
            assert_eq!(proxy.tunnels(), [address(&sim.url())]);
        }
    }
}
