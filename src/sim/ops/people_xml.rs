//! Organizers and attendees in responses.

use super::property_context::{PropertyContext, ReadOperation};
use super::property_value::PropertyValue;
use crate::sim::details::{Attendee, InvitationResponse, Person};
use crate::sim::event::Copy;
use crate::sim::soap_response::{element, instant};
use crate::sim::views::EventInstance;
use crate::sim::xml::escape;

/// The names of attendees, joined.
pub(super) fn display(attendees: &[Attendee]) -> String {
    let names: Vec<&str> = attendees.iter().map(|attendee| attendee.person.name.as_str()).collect();
    names.join("; ")
}

/// `t:Organizer`. `FindItem` returns the X.500 name of organizers who are or were in the directory; an event without an
/// organizer has no element.
pub(super) fn organizer(cx: &PropertyContext<'_>) -> Option<PropertyValue> {
    let person = &cx.view.event.organizer;
    if person.address.is_empty() {
        return None;
    }
    let x500 = cx.world.legacy_dn(&person.address).filter(|_| cx.world.x500_organizers);
    let who = match x500.filter(|_| cx.place == ReadOperation::Find) {
        Some(name) => format!(
            "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>EX</t:RoutingType>\
             <t:MailboxType>OneOff</t:MailboxType></t:Mailbox>",
            escape(&person.name),
            escape(&name.to_uppercase())
        ),
        None => {
            let kind = if cx.world.mailbox(&person.address).is_some() { "Mailbox" } else { "OneOff" };
            mailbox_element(&cx.world.as_listed(person), kind)
        }
    };
    Some(PropertyValue::XmlWithText(format!("<t:Organizer>{who}</t:Organizer>"), person.name.clone()))
}

/// `t:Mailbox` with an SMTP address.
pub(super) fn mailbox_element(person: &Person, kind: &str) -> String {
    format!(
        "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>\
         <t:MailboxType>{kind}</t:MailboxType></t:Mailbox>",
        escape(&person.name),
        escape(&person.address)
    )
}

/// A list of attendees; only the organizer's copy has their responses.
pub(super) fn attendees(name: &str, view: &EventInstance<'_>, list: &[Attendee]) -> Option<PropertyValue> {
    let one = |attendee: &Attendee| {
        let answer = match (view.event.copy, attendee.response) {
            (Copy::Attendee, _) | (_, InvitationResponse::None) => "Unknown",
            (Copy::Plain | Copy::Organizer, answer) => answer.wire_name(),
        };
        let when =
            attendee.responded_at.map(|at| element("LastResponseTime", &instant(at))).unwrap_or_default();
        let mailbox = mailbox_element(&attendee.person, "Mailbox");
        format!("<t:Attendee>{mailbox}<t:ResponseType>{answer}</t:ResponseType>{when}</t:Attendee>")
    };
    let all: String = list.iter().map(one).collect();
    (!all.is_empty()).then(|| PropertyValue::Xml(format!("<t:{name}>{all}</t:{name}>")))
}
