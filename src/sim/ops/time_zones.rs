//! `GetServerTimeZones`: the Windows time zones, all or those requested, with their rules if requested.

use chrono::Weekday;
use roxmltree::Node;

use crate::sim::ews_error::EwsError;
use crate::sim::soap_request::{boolean, elements, m, text};
use crate::sim::soap_response::{element, messages};
use crate::sim::xml::escape;
use crate::sim::zones::{self, Transition, Zone};

pub(super) fn answer(request: Node<'_, '_>) -> Result<String, EwsError> {
    let full = match request.attribute("ReturnFullTimeZoneData") {
        None => true,
        Some(word) => boolean(word).ok_or_else(|| {
            EwsError::schema_violation(request, "The 'ReturnFullTimeZoneData' attribute is invalid.")
        })?,
    };
    let zones: String = match m(request, "Ids") {
        None => zones::all().map(|zone| definition(zone, full)).collect(),
        // Unknown zones are omitted.
        Some(ids) => {
            let named = elements(ids).filter_map(|id| zones::find(text(id).trim()));
            named.map(|zone| definition(zone, full)).collect()
        }
    };
    let all = format!("<m:TimeZoneDefinitions>{zones}</m:TimeZoneDefinitions>");
    Ok(messages("GetServerTimeZones", &[Ok(all)], ""))
}

fn definition(zone: &Zone, full: bool) -> String {
    let (id, name) = (escape(zone.id), escape(&zone.display()));
    match full {
        false => format!(r#"<t:TimeZoneDefinition Id="{id}" Name="{name}"/>"#),
        true => {
            format!(r#"<t:TimeZoneDefinition Id="{id}" Name="{name}">{}</t:TimeZoneDefinition>"#, rules(zone))
        }
    }
}

fn rules(zone: &Zone) -> String {
    let standard = -i64::from(zone.standard);
    let (mut periods, mut group) = (period(standard, "Standard"), String::new());
    match zone.daylight {
        None => group += &to("Standard"),
        Some(summer) => {
            periods += &period(standard - i64::from(summer.extra), "Daylight");
            group += &recurring(&summer.begin, "Daylight");
            group += &recurring(&summer.end, "Standard");
        }
    }
    format!(
        r#"<t:Periods>{periods}</t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0">{group}</t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions>"#
    )
}

/// `bias` is added to local time to get UTC.
fn period(bias: i64, name: &str) -> String {
    format!(r#"<t:Period Bias="{}" Name="{name}" Id="{name}"/>"#, duration(bias))
}

fn to(period: &str) -> String {
    format!(r#"<t:Transition><t:To Kind="Period">{period}</t:To></t:Transition>"#)
}

fn recurring(transition: &Transition, period: &str) -> String {
    let (day, minutes) = transition.of_day();
    let occurrence = if transition.nth == 5 { -1 } else { i64::from(transition.nth) };
    format!(
        r#"<t:RecurringDayTransition><t:To Kind="Period">{period}</t:To>{}{}{}{}</t:RecurringDayTransition>"#,
        element("TimeOffset", &duration(minutes)),
        element("Month", &transition.month.to_string()),
        element("DayOfWeek", name(day)),
        element("Occurrence", &occurrence.to_string())
    )
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}

/// Minutes as `xs:duration`.
fn duration(minutes: i64) -> String {
    let sign = if minutes < 0 { "-" } else { "" };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "PT0S".to_owned(),
        (0, minutes) => format!("{sign}PT{minutes}M"),
        (hours, 0) => format!("{sign}PT{hours}H"),
        (hours, minutes) => format!("{sign}PT{hours}H{minutes}M"),
    }
}
