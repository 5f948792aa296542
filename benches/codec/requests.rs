//! Benchmarks encoding: the three impersonated write requests, into a warm buffer.
//!
//! The peers write the same bytes (compared with Adjourn's before timing), except the crate `ews`, which supports neither impersonation
//! nor calendar fields: it writes the deletion that it can, and is shown with its own size.

use std::hint::black_box;

use adjourn::ews::op::{
    CreateItem, DeleteItem, DeleteType, ItemRef, Operation, ResponseObject, SendUpdates, UpdateItem,
    encode_into,
};
use adjourn::ews::soap::{Impersonate, RequestHeaders, ServerVersion};
use chrono::{DateTime, Utc};
use criterion::Criterion;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::board::Board;
use crate::timed;

/// The values of a request; the text needs escaping.
struct Case {
    mailbox: String,
    id: String,
    change_key: String,
    end: DateTime<Utc>,
    text: &'static str,
}

impl Case {
    fn new() -> Self {
        Self {
            mailbox: "room.a3.17@rooms.example".to_owned(),
            id: "AAMkAGI1".repeat(19),
            change_key: "DwAAABYAAADk7BZ1T7YQTIpJ3nEe3b2sAAAAAB1y".to_owned(),
            end: DateTime::from_timestamp(1_795_600_800, 0).expect("a time"),
            text: "R&D sync <ended early>",
        }
    }

    fn headers(&self) -> RequestHeaders<'_> {
        RequestHeaders {
            version: ServerVersion::Exchange2013Sp1,
            impersonate: Some(Impersonate::PrimarySmtpAddress(&self.mailbox)),
        }
    }

    fn item(&self) -> ItemRef<'_> {
        ItemRef { id: &self.id, change_key: Some(&self.change_key) }
    }
}

pub(crate) fn requests(criterion: &mut Criterion, board: &Board) {
    let case = Case::new();
    let update = UpdateItem { item: case.item(), end: case.end, send: SendUpdates::ToNone };
    one_request(criterion, board, "UpdateItem end request", &case, &update, &update_body(&case));
    let decline = ResponseObject { item: case.item(), text: Some(case.text), saved_in: None };
    let decline = CreateItem::Decline(decline);
    one_request(criterion, board, "CreateItem request", &case, &decline, &decline_body(&case));
    let delete = DeleteItem { items: &[case.item()], delete_type: DeleteType::MoveToDeletedItems };
    one_request(criterion, board, "DeleteItem request", &case, &delete, &delete_body(&case));
    crate_ews(criterion, board, &case);
}

fn one_request<O: Operation>(
    criterion: &mut Criterion,
    board: &Board,
    name: &str,
    case: &Case,
    request: &O,
    body: &[Piece],
) {
    let mut ours = Vec::new();
    encode_into(request, &case.headers(), &mut ours);
    let tree = envelope(case, body);
    assert_eq!(String::from_utf8_lossy(&quick_xml_writer(&tree)), String::from_utf8_lossy(&ours));
    board.input(name, ours.len(), 1);
    let mut group = criterion.benchmark_group(name);
    let mut out = Vec::with_capacity(ours.len());
    timed(&mut group, board, "adjourn", || {
        encode_into(black_box(request), &case.headers(), &mut out);
        black_box(&out);
    });
    let mut copy = Vec::with_capacity(ours.len());
    timed(&mut group, board, "copying the same bytes", || {
        copy.clear();
        copy.extend_from_slice(black_box(&ours));
        black_box(&copy);
    });
    timed(&mut group, board, "quick-xml Writer", || drop(black_box(quick_xml_writer(black_box(&tree)))));
    group.finish();
}

/// Input of quick-xml's writer: a start tag with attributes, an end tag, a text.
enum Piece<'a> {
    Start(&'static str, Vec<(&'static str, &'a str)>),
    Empty(&'static str, Vec<(&'static str, &'a str)>),
    Text(std::borrow::Cow<'a, str>),
    End(&'static str),
}

use Piece::{Empty, End, Start, Text};

fn envelope<'a>(case: &'a Case, body: &'a [Piece<'a>]) -> Vec<Piece<'a>> {
    let spaces = vec![
        ("xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/"),
        ("xmlns:m", "http://schemas.microsoft.com/exchange/services/2006/messages"),
        ("xmlns:t", "http://schemas.microsoft.com/exchange/services/2006/types"),
    ];
    let mut pieces = vec![
        Start("soap:Envelope", spaces),
        Start("soap:Header", vec![]),
        Empty("t:RequestServerVersion", vec![("Version", "Exchange2013_SP1")]),
        Start("t:ExchangeImpersonation", vec![]),
        Start("t:ConnectingSID", vec![]),
        Start("t:PrimarySmtpAddress", vec![]),
        Text(case.mailbox.as_str().into()),
        End("t:PrimarySmtpAddress"),
        End("t:ConnectingSID"),
        End("t:ExchangeImpersonation"),
        End("soap:Header"),
        Start("soap:Body", vec![]),
    ];
    pieces.extend(body.iter().map(|piece| match piece {
        Start(name, attributes) => Start(name, attributes.clone()),
        Empty(name, attributes) => Empty(name, attributes.clone()),
        Text(text) => Text(text.clone()),
        End(name) => End(name),
    }));
    pieces.extend([End("soap:Body"), End("soap:Envelope")]);
    pieces
}

fn item_id<'a>(name: &'static str, case: &'a Case) -> Piece<'a> {
    Empty(name, vec![("Id", &case.id), ("ChangeKey", &case.change_key)])
}

fn update_body(case: &Case) -> Vec<Piece<'_>> {
    let attributes = vec![
        ("ConflictResolution", "NeverOverwrite"),
        ("MessageDisposition", "SaveOnly"),
        ("SendMeetingInvitationsOrCancellations", "SendToNone"),
    ];
    vec![
        Start("m:UpdateItem", attributes),
        Start("m:ItemChanges", vec![]),
        Start("t:ItemChange", vec![]),
        item_id("t:ItemId", case),
        Start("t:Updates", vec![]),
        Start("t:SetItemField", vec![]),
        Empty("t:FieldURI", vec![("FieldURI", "calendar:End")]),
        Start("t:CalendarItem", vec![]),
        Start("t:End", vec![]),
        Text(case.end.format("%Y-%m-%dT%H:%M:%SZ").to_string().into()),
        End("t:End"),
        End("t:CalendarItem"),
        End("t:SetItemField"),
        End("t:Updates"),
        End("t:ItemChange"),
        End("m:ItemChanges"),
        End("m:UpdateItem"),
    ]
}

fn decline_body(case: &Case) -> Vec<Piece<'_>> {
    vec![
        Start("m:CreateItem", vec![("MessageDisposition", "SendAndSaveCopy")]),
        Start("m:Items", vec![]),
        Start("t:DeclineItem", vec![]),
        Start("t:Body", vec![("BodyType", "Text")]),
        Text(case.text.into()),
        End("t:Body"),
        item_id("t:ReferenceItemId", case),
        End("t:DeclineItem"),
        End("m:Items"),
        End("m:CreateItem"),
    ]
}

fn delete_body(case: &Case) -> Vec<Piece<'_>> {
    let attributes = vec![("DeleteType", "MoveToDeletedItems"), ("SendMeetingCancellations", "SendToNone")];
    vec![
        Start("m:DeleteItem", attributes),
        Start("m:ItemIds", vec![]),
        item_id("t:ItemId", case),
        End("m:ItemIds"),
        End("m:DeleteItem"),
    ]
}

fn quick_xml_writer(pieces: &[Piece]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let start = |name: &'static str, attributes: &[(&'static str, &str)]| {
        BytesStart::new(name).with_attributes(attributes.iter().copied())
    };
    let declaration = Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None));
    writer.write_event(declaration).expect("memory");
    for piece in pieces {
        let event = match piece {
            Start(name, attributes) => Event::Start(start(name, attributes)),
            Empty(name, attributes) => Event::Empty(start(name, attributes)),
            Text(text) => Event::Text(BytesText::new(text)),
            End(name) => Event::End(BytesEnd::new(*name)),
        };
        writer.write_event(event).expect("memory");
    }
    writer.into_inner()
}

fn crate_ews(criterion: &mut Criterion, board: &Board, case: &Case) {
    let request = ews::delete_item::DeleteItem {
        delete_type: ews::DeleteType::MoveToDeletedItems,
        send_meeting_cancellations: Some(ews::delete_item::SendMeetingCancellations::SendToNone),
        affected_task_occurrences: None,
        suppress_read_receipts: None,
        item_ids: vec![ews::BaseItemId::ItemId {
            id: case.id.clone(),
            change_key: Some(case.change_key.clone()),
        }],
    };
    let envelope = ews::soap::Envelope { headers: vec![], body: request };
    let size = envelope.as_xml_document().expect("a request").len();
    board.input("DeleteItem request, no headers", size, 1);
    let mut group = criterion.benchmark_group("DeleteItem request, no headers");
    timed(&mut group, board, "crate ews", || drop(black_box(black_box(&envelope).as_xml_document())));
    group.finish();
}
