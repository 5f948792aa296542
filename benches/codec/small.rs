//! Benchmarks the short responses of an action: an update, a deletion, a fault.

use std::hint::black_box;

use adjourn::ews::codec::SoapBody;
use criterion::Criterion;

use crate::board::{Board, MEASURE};
use crate::{peers, timed};

const HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>",
    "<h:ServerVersionInfo MajorVersion=\"15\" MinorVersion=\"2\" MajorBuildNumber=\"1544\" MinorBuildNumber=\"4\" ",
    "Version=\"V2017_07_11\" xmlns:h=\"http://schemas.microsoft.com/exchange/services/2006/types\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"/>",
    "</s:Header><s:Body>",
);

const DECLARATIONS: &str = concat!(
    "xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
    "xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\"",
);

const FAULT: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>",
    "<faultcode xmlns:a=\"http://schemas.microsoft.com/exchange/services/2006/types\">a:ErrorServerBusy</faultcode>",
    "<faultstring xml:lang=\"en-US\">The server cannot service this request right now. Try again later.</faultstring>",
    "<detail><e:ResponseCode xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\">ErrorServerBusy",
    "</e:ResponseCode><e:Message xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\">",
    "The server cannot service this request right now. Try again later.</e:Message>",
    "<t:MessageXml xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\">",
    "<t:Value Name=\"BackOffMilliseconds\">17500</t:Value></t:MessageXml></detail></s:Fault></s:Body></s:Envelope>",
);

fn answer(operation: &str, payload: &str) -> String {
    format!(
        "{HEAD}<m:{operation}Response {DECLARATIONS}><m:ResponseMessages>\
         <m:{operation}ResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>{payload}\
         </m:{operation}ResponseMessage></m:ResponseMessages></m:{operation}Response></s:Body></s:Envelope>"
    )
}

pub(crate) fn answers(criterion: &mut Criterion, board: &Board) {
    let id = "AAMkAGI1".repeat(19);
    let update = answer(
        "UpdateItem",
        &format!(
            "<m:Items><t:CalendarItem><t:ItemId Id=\"{id}\" ChangeKey=\"DwAAABYAAADk7BZ1T7YQTIpJ3nEe3b2sAAAAAB1y\"/>\
             </t:CalendarItem></m:Items><m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"
        ),
    );
    let delete = answer("DeleteItem", "");
    let decoded = peers::adjourn(update.as_bytes());
    assert!(
        matches!(&decoded.envelope.body, SoapBody::UpdateItem(messages) if messages[0].payload.conflict_count == Some(0))
    );
    let decoded = peers::adjourn(delete.as_bytes());
    assert!(
        matches!(&decoded.envelope.body, SoapBody::DeleteItem(messages) if &*messages[0].code.0 == "NoError")
    );
    let of_crate = peers::ews_crate_deletion(delete.as_bytes());
    assert_eq!(of_crate.body.response_messages.response_messages.len(), 1);
    let decoded = peers::adjourn(FAULT.as_bytes());
    assert!(
        matches!(&decoded.envelope.body, SoapBody::Fault(fault) if fault.code() == Some("ErrorServerBusy"))
    );
    for (name, xml) in [("UpdateItem answer", &*update), ("DeleteItem answer", &*delete), ("fault", FAULT)] {
        let xml = xml.as_bytes();
        board.input(name, xml.len(), 1);
        let mut group = criterion.benchmark_group(name);
        timed(&mut group, board, "adjourn", || drop(black_box(peers::adjourn(black_box(xml)))));
        timed(&mut group, board, MEASURE, || {
            black_box(peers::quick_xml_events(black_box(xml)));
        });
        if name == "DeleteItem answer" {
            timed(&mut group, board, "crate ews", || {
                drop(black_box(peers::ews_crate_deletion(black_box(xml))))
            });
        }
        group.finish();
    }
}
