//! `adjourn config reference`: the page in docs, and the same for programs.

use crate::installed::install;

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_the_page_in_docs() {
    let office = install(1).await;
    let page = office.run(&["config", "reference"]).await;
    assert_eq!(page.code, 0, "{}", page.err);
    assert!(page.out == include_str!("../../docs/configuration.md"), "docs/configuration.md is stale");
    let tables = office.run(&["config", "reference", "--json"]).await.json();
    let live = tables.as_array().unwrap().iter().find(|table| table["header"] == "[live]").unwrap();
    let interval =
        live["keys"].as_array().unwrap().iter().find(|key| key["key"] == "poll_interval_s").unwrap();
    assert_eq!((interval["unit"].as_str(), interval["default"].as_str()), (Some("seconds"), Some("30")));
    assert_eq!((interval["minimum"].as_i64(), interval["maximum"].as_i64()), (Some(5), Some(3_600)));
}
