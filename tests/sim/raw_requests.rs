//! Raw requests to the simulator, as any client could send them.

use adjourn::sim::{Simulator, SimulatorOptions};
use adjourn_test::{AURORA, HttpReply, host, meeting, send_and_read, simulator, world};
use base64::Engine as _;

pub async fn post(sim: &Simulator, authorization: &str, body: &str) -> (u16, String) {
    let address = host(sim);
    let request = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml\r\nConnection: close\r\n\
         Authorization: {authorization}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = HttpReply::parse(&send_and_read(&address, &request).await.unwrap()).unwrap();
    save_response(&answer.body);
    (answer.status, answer.body)
}

/// Writes a response to the folder of a schema validator, if the environment names one.
pub fn save_response(answer: &str) {
    if let Some(dir) = std::env::var_os("ADJOURN_WRITE_ANSWERS").filter(|_| answer.starts_with("<?xml")) {
        let name = format!("{}.xml", uuid::Uuid::new_v4());
        std::fs::write(std::path::Path::new(&dir).join(name), by_the_schema(answer)).unwrap();
    }
}

/// Exchange writes two elements of streams in another namespace than its schema has; here they are moved to that of the
/// schema.
fn by_the_schema(answer: &str) -> String {
    if !answer.contains("<m:GetStreamingEventsResponse ") {
        return answer.to_owned();
    }
    answer.replace("m:Notification>", "t:Notification>").replace("m:SubscriptionId>", "t:SubscriptionId>")
}

pub fn basic() -> String {
    let SimulatorOptions { username, password, .. } = SimulatorOptions::default();
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{username}:{password}")))
}

pub fn envelope(room: &str, body: &str) -> String {
    format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:SmtpAddress>{room}</t:SmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>{body}</s:Body></s:Envelope>"#
    )
}

#[tokio::test]
async fn strangers_and_wrong_passwords_stay_outside() {
    let sim = simulator(world()).await;
    for wrong in ["Basic bm9ib2R5OnNlY3JldA==", "Bearer x", ""] {
        assert_eq!(post(&sim, wrong, &envelope(AURORA, "<m:GetRoomLists/>")).await.0, 401, "{wrong}");
    }
    assert!(sim.requests().is_empty());
}

#[tokio::test]
async fn whole_requests_are_refused_as_faults_with_a_code() {
    let mut world = world();
    world.allow_impersonation_of([AURORA]);
    let sim = simulator(world).await;
    let rows = [
        (envelope("ada@example.com", "<m:GetRoomLists/>"), "ErrorImpersonateUserDenied"),
        (envelope("nobody@example.com", "<m:GetRoomLists/>"), "ErrorNonExistentMailbox"),
        (
            envelope(AURORA, "<m:GetRoomLists/>").replace("Exchange2013_SP1", "Exchange2099"),
            "ErrorInvalidServerVersion",
        ),
        (envelope(AURORA, "<m:Teleport/>"), "ErrorInvalidRequest"),
        (envelope(AURORA, "<m:DeleteItem><m:ItemIds/></m:DeleteItem>"), "ErrorSchemaValidation"),
        ("<not xml".to_owned(), "ErrorInvalidRequest"),
    ];
    for (request, code) in rows {
        let (status, body) = post(&sim, &basic(), &request).await;
        assert_eq!(status, 500);
        assert!(body.contains(&format!(">{code}</e:ResponseCode>")), "{code}: {body}");
    }
}

#[tokio::test]
async fn every_operation_answers() {
    let mut world = world();
    world.add_meeting(meeting());
    world.add_room_list("Building 1", "b1@example.com", &[AURORA]);
    let sim = simulator(world).await;
    let shape = r#"<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"#;
    let calendar = r#"<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds>"#;
    let view = r#"<m:CalendarView StartDate="2020-01-01T00:00:00Z" EndDate="2020-02-01T00:00:00Z"/>"#;
    let wide = r#"<m:IndexedPageItemView MaxEntriesReturned="10" Offset="0" BasePoint="Beginning"/>"#;
    let folder_shape = "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>";
    let find =
        |view: &str| format!(r#"<m:FindItem Traversal="Shallow">{shape}{view}{calendar}</m:FindItem>"#);
    let id = {
        let (_, body) = post(&sim, &basic(), &envelope(AURORA, &find(wide))).await;
        body.split("<t:ItemId ").nth(1).unwrap().split("/>").next().unwrap().to_owned()
    };
    let update = |id: &str| {
        format!(
            r#"<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId {id}/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>x</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
        )
    };
    let rows = [
        ("FindItem", find(view)),
        ("FindItem", find(wide)),
        ("GetItem", format!("<m:GetItem>{shape}<m:ItemIds><t:ItemId {id}/></m:ItemIds></m:GetItem>")),
        ("UpdateItem", update(&id)),
        ("GetFolder", format!(r#"<m:GetFolder>{folder_shape}<m:FolderIds><t:DistinguishedFolderId Id="root"/></m:FolderIds></m:GetFolder>"#)),
        ("FindFolder", format!(r#"<m:FindFolder Traversal="Deep">{folder_shape}<m:ParentFolderIds><t:DistinguishedFolderId Id="root"/></m:ParentFolderIds></m:FindFolder>"#)),
        ("ResolveNames", r#"<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>smtp:ada@example.com</m:UnresolvedEntry></m:ResolveNames>"#.to_owned()),
        ("GetRoomLists", "<m:GetRoomLists/>".to_owned()),
        ("GetRooms", "<m:GetRooms><m:RoomList><t:EmailAddress>b1@example.com</t:EmailAddress></m:RoomList></m:GetRooms>".to_owned()),
        ("GetServerTimeZones", "<m:GetServerTimeZones/>".to_owned()),
        ("MoveItem", format!(r#"<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="deleteditems"/></m:ToFolderId><m:ItemIds><t:ItemId {id}/></m:ItemIds></m:MoveItem>"#)),
    ];
    for (operation, request) in rows {
        let (status, body) = post(&sim, &basic(), &envelope(AURORA, &request)).await;
        assert_eq!(status, 200, "{operation}: {body}");
        assert!(
            body.contains(&format!("<m:{operation}Response")) && body.contains("NoError"),
            "{operation}: {body}"
        );
        assert!(!body.contains(r#"ResponseClass="Error""#), "{operation}: {body}");
    }
    let (_, stale) = post(&sim, &basic(), &envelope(AURORA, &update(&id))).await;
    assert!(stale.contains("ErrorItemNotFound"), "moved, so the old id names nothing: {stale}");
    sim.stop().await;
}

#[tokio::test]
async fn stale_versions_are_refused_resolved_or_overwritten_as_asked() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = simulator(world).await;
    let find = r#"<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>"#;
    let (_, body) = post(&sim, &basic(), &envelope(AURORA, find)).await;
    let id = body.split("<t:ItemId ").nth(1).unwrap().split("/>").next().unwrap().to_owned();
    let set = |mode: &str, subject: &str| {
        envelope(
            AURORA,
            &format!(
                r#"<m:UpdateItem ConflictResolution="{mode}" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId {id}/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>{subject}</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
            ),
        )
    };
    let subject =
        || sim.world(|world| world.events(AURORA, meeting().start, meeting().end)[0].subject.clone());
    assert!(post(&sim, &basic(), &set("NeverOverwrite", "first")).await.1.contains("NoError"));
    let never = post(&sim, &basic(), &set("NeverOverwrite", "never")).await.1;
    assert!(never.contains("ErrorIrresolvableConflict"), "{never}");
    let auto = post(&sim, &basic(), &set("AutoResolve", "auto")).await.1;
    assert!(auto.contains("<t:Count>1</t:Count>"), "{auto}");
    assert_eq!(subject(), "first");
    post(&sim, &basic(), &set("AlwaysOverwrite", "always")).await;
    assert_eq!(subject(), "always");
}
