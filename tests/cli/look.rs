//! Accent colour and logo of displays: read at start and on reload, and served without a key.

use std::time::Duration;

use adjourn_test::{Installation, ServedProcess, room_name, wait_until_async};
use serde_json::Value;

use crate::installed::{configure, install};

const LOOK: &str =
    "[[room_groups]]\nname = \"all\"\nrooms = [\"*\"]\naccent = \"#FFD500\"\nlogo = \"logo.svg\"\n";

async fn state(served: &ServedProcess, token: &str) -> Value {
    let said = served.send(token, &format!("GET /v1/rooms/{}", room_name(0)), "").await;
    serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn logo_path(served: &ServedProcess, token: &str) -> String {
    state(served, token).await["logo"].as_str().unwrap().to_owned()
}

fn write_logo(office: &Installation, content: impl AsRef<[u8]>) {
    std::fs::write(office.path("logo.svg"), content).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_has_its_groups_colour_and_logo_and_a_reload_reads_the_logo_again() {
    let office = install(1).await;
    configure(&office, LOOK);
    write_logo(&office, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    let token = office.add_key("display", &[]).await;
    let mut served = office.serve();
    let room = state(&served, &token).await;
    assert_eq!((&room["accent"], &room["accent_text"]), (&"#ffd500".into(), &"#000000".into()), "{room}");
    let path = logo_path(&served, &token).await;
    assert!(path.starts_with("/console/logos/") && !path.contains("room0"), "{path}");
    let logo = served.send("no-key", &format!("GET {path}"), "").await;
    assert!(
        logo.starts_with("HTTP/1.1 200") && logo.ends_with("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        "{logo}"
    );
    for header in [
        "content-type: image/svg+xml",
        "cache-control: public, max-age=31536000, immutable",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "x-content-type-options: nosniff",
    ] {
        assert!(logo.to_lowercase().contains(header), "{header}: {logo}");
    }

    write_logo(&office, b"\x89PNG\r\n\x1a\nand more");
    served.signal("-HUP");
    wait_until_async("the new logo", async || logo_path(&served, &token).await != path).await;
    let png = logo_path(&served, &token).await;
    assert!(served.send("", &format!("GET {path}"), "").await.starts_with("HTTP/1.1 404"));

    write_logo(&office, "no image");
    served.signal("-HUP");
    let is_refused = || {
        let log = std::fs::read_to_string(office.path("log")).unwrap();
        log.contains("cannot use logo.svg as room_groups.logo") && log.contains("neither an SVG image")
    };
    wait_until_async("the refusal in the log", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        is_refused()
    })
    .await;
    assert_eq!(logo_path(&served, &token).await, png, "the old configuration stays in force");
    served.child.kill().unwrap();
    served.child.wait().unwrap();

    for content in [vec![], vec![b' '; 70_000]] {
        write_logo(&office, content);
        let refused = office.run(&["serve", "--listen", "127.0.0.1:0"]).await;
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains("logo.svg as room_groups.logo"), "{}", refused.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_no_accent() {
    let office = install(1).await;
    configure(&office, "[[room_groups]]\nname = \"all\"\nrooms = [\"*\"]\naccent = \"blue\"\n");
    let refused = office.run(&["config", "explain", &room_name(0)]).await;
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("room_groups.accent: `blue`: a colour is # and six"), "{}", refused.err);
}
