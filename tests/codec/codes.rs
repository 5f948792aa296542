//! Compares the table of response codes with Microsoft's list, whose path is in ADJOURN_RESPONSE_CODES: no code may be misspelt.

use std::collections::BTreeSet;

use adjourn::ews::code::all_codes;

#[test]
fn every_code_of_the_table_exists() {
    let Some(path) = std::env::var_os("ADJOURN_RESPONSE_CODES") else {
        return println!("ADJOURN_RESPONSE_CODES is not set: the table was not compared");
    };
    let list = std::fs::read_to_string(path).unwrap();
    let real: BTreeSet<&str> = list.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    let misspelt: Vec<&str> = all_codes().map(|(code, _)| code).filter(|code| !real.contains(code)).collect();
    assert!(misspelt.is_empty() && real.len() > 300, "{misspelt:?} of {}", real.len());
}
