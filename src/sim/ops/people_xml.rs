//! Organizers and attendees, as answers write them.

use super::properties::Look;
use super::shape::Where;
use super::value::Value;
use crate::sim::event::{Answer, Attendee, Copy, Person};
use crate::sim::soap_out::{element, escape, instant};
use crate::sim::views::View;

/// The names of some attendees, in one line.
pub(super) fn display(attendees: &[Attendee]) -> String {
    let names: Vec<&str> = attendees.iter().map(|attendee| attendee.person.name.as_str()).collect();
    names.join("; ")
}

/// `t:Organizer`. A folder's table has the X.500 name of organizers whom the directory knows or knew; an item of nobody has no
/// organizer.
pub(super) fn organizer(look: &Look<'_>) -> Option<Value> {
    let person = &look.view.event.organizer;
    if person.address.is_empty() {
        return None;
    }
    let x500 = look.world.legacy_dn(&person.address).filter(|_| look.world.x500_organizers);
    let who = match x500.filter(|_| look.place == Where::Find) {
        Some(name) => format!(
            "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>EX</t:RoutingType>\
             <t:MailboxType>OneOff</t:MailboxType></t:Mailbox>",
            escape(&person.name),
            escape(&name.to_uppercase())
        ),
        None => {
            let kind = if look.world.mailbox(&person.address).is_some() { "Mailbox" } else { "OneOff" };
            mailbox_element(&look.world.as_listed(person), kind)
        }
    };
    Some(Value::Shown(format!("<t:Organizer>{who}</t:Organizer>"), person.name.clone()))
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

/// A list of attendees; only the organizer's copy knows what they answered.
pub(super) fn attendees(name: &str, view: &View<'_>, list: &[Attendee]) -> Option<Value> {
    let one = |attendee: &Attendee| {
        let answer = match (view.event.copy, attendee.answer) {
            (Copy::Attendee, _) | (_, Answer::None) => "Unknown",
            (Copy::Plain | Copy::Organizer, answer) => answer.word(),
        };
        let when = attendee.answered.map(|at| element("LastResponseTime", &instant(at))).unwrap_or_default();
        let mailbox = mailbox_element(&attendee.person, "Mailbox");
        format!("<t:Attendee>{mailbox}<t:ResponseType>{answer}</t:ResponseType>{when}</t:Attendee>")
    };
    let all: String = list.iter().map(one).collect();
    (!all.is_empty()).then(|| Value::Xml(format!("<t:{name}>{all}</t:{name}>")))
}
