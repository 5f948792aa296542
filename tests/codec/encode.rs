//! Requests, read back by an XML parser that is not ours.

#[test]
fn write_examples() {
    let Some(dir) = std::env::var_os("ADJOURN_WRITE_REQUESTS").map(std::path::PathBuf::from) else { return };
    for (stem, bytes) in adjourn::ews::op::examples::examples() {
        std::fs::write(dir.join(stem).with_extension("xml"), bytes).unwrap();
    }
}
#[test]
fn write_ver() {
    for (stem, bytes) in adjourn::ews::op::examples::examples_in_every_version() {
        std::fs::write(format!("/tmp/req/ver/{stem}.xml"), bytes).unwrap();
    }
}
