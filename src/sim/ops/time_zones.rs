//! `GetServerTimeZones`: UTC, and the zones a client names, all as if they were UTC. The simulator lives by UTC alone.

use roxmltree::Node;

use crate::sim::soap_in::{Refusal, elements, m, text};
use crate::sim::soap_out::{escape, messages};

pub(super) fn answer(request: Node<'_, '_>) -> Result<String, Refusal> {
    let named: Vec<String> =
        m(request, "Ids").map(|ids| elements(ids).map(text).collect()).unwrap_or_default();
    let ids = if named.is_empty() { vec!["UTC".to_owned()] } else { named };
    let zones: String = ids.iter().map(|id| zone(id)).collect();
    let all = format!("<m:TimeZoneDefinitions>{zones}</m:TimeZoneDefinitions>");
    Ok(messages("GetServerTimeZones", &[Ok(all)], ""))
}

fn zone(id: &str) -> String {
    let id = escape(id);
    format!(
        r#"<t:TimeZoneDefinition Id="{id}" Name="(UTC) {id}"><t:Periods><t:Period Bias="PT0S" Name="Standard" Id="Std"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0"><t:Transition><t:To Kind="Period">Std</t:To></t:Transition></t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions></t:TimeZoneDefinition>"#
    )
}
