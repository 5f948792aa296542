//! The OpenAPI description besides its operations: what holds for all of them, the schemas of event streams, and the webhooks. Handles no
//! request.
//!
//! Operations are described where they are handled. [`complete`] adds what all of them have in common, so that no operation can forget
//! it.

use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    AllOfBuilder, Components, ContentBuilder, HttpMethod, Object, ObjectBuilder, OpenApi as Document,
    PathItem, PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Type,
};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::problem::Problem;
use super::responses::header;
use crate::service::{
    ActionNotice, CheckInNotice, DisplayNotice, GapNotice, JournalHeadNotice, ReleaseStoppedNotice,
    ReleaseWarningNotice, SeriesMissedNotice, SweepNotice, WouldReleaseNotice,
};
use crate::timestamp::Timestamp;

/// The OpenAPI document without its operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Adjourn",
        description = "Ends meetings early and frees abandoned rooms on Exchange calendars. Times are UTC (RFC 3339) with whole seconds; `time_zone` of a room names its zone. A view of a thing has its `id`; a reference to another thing is named after it: `room` (SMTP address), `event`, `action_id`, `sweep_id`. Every member of an answer is always there: a member without a value is null, a list without entries is empty. A member of a request may be left out, and null means the same. docs/http-api.md has the policy for changes.",
    ),
    servers((url = "/", description = "The service that serves this description")),
    tags(
        (name = "rooms", description = "State of rooms, check-ins and other signs of presence"),
        (name = "actions", description = "Changes of calendars: who requested them, and their outcomes"),
        (name = "sweeps", description = "Plans that release the abandoned events of many rooms"),
        (name = "events", description = "Changes as they happen, as server-sent events"),
        (name = "displays", description = "Door displays: pairing by a code, last contact, removal"),
        (name = "report", description = "Figures about actions, from the journal"),
        (name = "doctor", description = "Checks of Adjourn's connections and rights"),
        (name = "me", description = "The caller itself"),
        (name = "keys", description = "API keys: who may request what in which rooms"),
        (name = "webhooks", description = "Notices that Adjourn sends"),
    ),
    security(("key" = [])),
    components(schemas(
        Problem,
        ActionNotice,
        CheckInNotice,
        DisplayNotice,
        GapNotice,
        JournalHeadNotice,
        ReleaseStoppedNotice,
        ReleaseWarningNotice,
        SeriesMissedNotice,
        SweepNotice,
        WebhookNotice,
        WouldReleaseNotice,
    )),
    modifiers(&ApiKeyScheme),
)]
pub(super) struct ApiDescription;

struct ApiKeyScheme;

impl utoipa::Modify for ApiKeyScheme {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key, or a token of the OpenID provider"))
            .build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// What the body of every webhook has besides the data of its notice.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes members that service/webhooks/message.rs adds to the data of a notice"
)]
struct WebhookNotice {
    /// Id of the notice: the same in every delivery of it.
    id: Uuid,
    /// Kind of the notice.
    event: String,
    /// Number of the notice for this webhook: one more than that of the notice before, also after a restart. A missing number is a lost
    /// notice.
    number: u64,
    /// When the notice was published.
    time: Timestamp,
}

/// The notices that a webhook receives: the kind, the schema of the data, and when it is sent.
const WEBHOOKS: [(&str, &str, &str); 11] = [
    ("action", "ActionNotice", "An action ended"),
    ("check-in", "CheckInNotice", "A check-in was stored"),
    (
        "release-warning",
        "ReleaseWarningNotice",
        "The current event will be released unless a check-in arrives",
    ),
    ("release-stopped", "ReleaseStoppedNotice", "A release that was announced or due does not take place"),
    ("would-release", "WouldReleaseNotice", "Observe mode: the event would have been released"),
    ("series-missed", "SeriesMissedNotice", "A series reached its last strike"),
    ("sweep", "SweepNotice", "The state of a sweep changed"),
    ("display-lost", "DisplayNotice", "A paired display has been without contact for too long"),
    ("display-found", "DisplayNotice", "A display that was lost is in contact again"),
    ("journal-head", "JournalHeadNotice", "The journal's last entry, for a copy outside this machine"),
    ("gap", "GapNotice", "Some notices were lost: read the rooms again"),
];

/// Headers of responses: the name in the components, the name on the wire, and the description.
const HEADERS: [(&str, &str, &str); 5] = [
    ("RequestId", "X-Request-Id", "Id of the request in Adjourn's log: the caller's own, or a new one"),
    (
        "RateLimit",
        "RateLimit",
        "Requests that the key may still send (`r`), and the seconds until it has all again (`t`)",
    ),
    (
        "RateLimitPolicy",
        "RateLimit-Policy",
        "Requests (`q`) that the key may send in a number of seconds (`w`)",
    ),
    ("RetryAfter", "Retry-After", "Seconds after which the request may be repeated"),
    ("Authenticate", "WWW-Authenticate", "The schemes by which a caller can authenticate"),
];

/// Adds what all operations have in common, and the webhooks.
pub(super) fn complete(mut document: Document) -> Document {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
        operations.into_iter().flatten().for_each(complete_operation);
    }
    let components = document.components.get_or_insert_with(Components::new);
    for (component, _, description) in HEADERS {
        components.headers.insert(component.to_owned(), header(description).into());
    }
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::Object(object)) = schema {
            require_members_of_answers(object);
        }
    }
    let webhooks = WEBHOOKS
        .into_iter()
        .fold(PathsBuilder::new(), |all, (kind, schema, when)| all.path(kind, webhook(kind, schema, when)));
    document.webhooks = Some(webhooks.build());
    document
}

/// An `Option` of Rust is described as nullable; a header is absent or a text, and a body is absent or an object.
fn complete_operation(operation: &mut utoipa::openapi::path::Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            parameter.schema = parameter.schema.take().map(without_null);
        }
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content {
                content.schema = content.schema.take().map(without_null);
            }
        }
    }
    let needs_key = operation.security.is_none();
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            add_headers(status, response, needs_key);
        }
    }
}

/// The same schema, or its alternative that is not null.
fn without_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let [kind, Type::Null] | [Type::Null, kind] = types.as_slice()
            {
                object.schema_type = SchemaType::Type(kind.clone());
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            let found = one_of.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
            found.unwrap_or(RefOr::T(Schema::OneOf(one_of)))
        }
        other => other,
    }
}

/// Adds the headers of a response; those of the rate limit only where there is a key.
fn add_headers(status: &str, response: &mut Response, needs_key: bool) {
    let has = |component: &str| match component {
        "RequestId" => true,
        "Authenticate" => status == "401",
        "RetryAfter" => matches!(status, "429" | "503"),
        _ => needs_key && status != "401",
    };
    for (component, name, _) in HEADERS.into_iter().filter(|(component, ..)| has(component)) {
        let known = Ref::new(format!("#/components/headers/{component}"));
        response.headers.insert(name.to_owned(), RefOr::Ref(known));
    }
}

/// A request refuses unknown members, so its schema says `additionalProperties: false`. Every other object is part of an answer, whose
/// members are always there.
fn require_members_of_answers(object: &mut Object) {
    let is_request =
        matches!(object.additional_properties.as_deref(), Some(AdditionalProperties::FreeForm(false)));
    if !is_request {
        object.required = object.properties.keys().cloned().collect();
    }
}

fn webhook(kind: &str, schema: &str, when: &str) -> PathItem {
    let own = ObjectBuilder::new()
        .property("event", ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind])));
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("WebhookNotice"))
        .item(Ref::from_schema_name(schema))
        .item(own);
    let content = ContentBuilder::new().schema(Some(Schema::AllOf(body.build()))).build();
    let body = RequestBodyBuilder::new().required(Some(Required::True)).content("application/json", content);
    let signed = |name: &str, description: &str| {
        let text = Object::with_type(Type::String);
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(text))
    };
    let accepted = ResponseBuilder::new()
        .description("The receiver has the notice. Any status from 200 to 299 will do.");
    let operation = OperationBuilder::new()
        .tag("webhooks")
        .operation_id(Some(webhook_operation(kind)))
        .summary(Some(format!("{when}.")))
        .parameter(signed("Adjourn-Timestamp", "Unix time of the delivery, in seconds"))
        .parameter(signed(
            "Adjourn-Signature",
            "`v1=` and the HMAC-SHA-256, in hexadecimal digits, of the timestamp, a full stop and the body",
        ))
        .request_body(Some(body.build()))
        .response("200", accepted);
    PathItem::new(HttpMethod::Post, operation)
}

/// The name of the operation by which a receiver gets the notice: `receiveCheckInNotice`.
fn webhook_operation(kind: &str) -> String {
    let words = kind.split('-').filter_map(|word| word.split_at_checked(1));
    let name: String = words.map(|(first, rest)| first.to_ascii_uppercase() + rest).collect();
    format!("receive{name}Notice")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::service::WebhookKind;

    fn document() -> Value {
        serde_json::to_value(super::super::openapi()).unwrap()
    }

    #[test]
    fn every_webhook_has_a_schema_for_its_data() {
        let document = document();
        for (kind, schema, _) in WEBHOOKS {
            assert!(document["components"]["schemas"][schema].is_object(), "{kind}: {schema}");
        }
        let described: BTreeSet<_> = WEBHOOKS.iter().map(|(kind, ..)| *kind).collect();
        let sent = WebhookKind::ALL.iter().map(|kind| kind.as_str()).chain(["gap"]);
        assert_eq!(described, sent.collect(), "a webhook receives gaps besides the kinds");
    }

    #[test]
    fn no_parameter_and_no_body_may_be_null() {
        let document = document();
        for operation in
            document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap())
        {
            let (method, operation) = operation;
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(!parameter["schema"]["type"].is_array(), "{method} {parameter}");
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(body.is_null() || body["$ref"].is_string(), "{method} {body}");
        }
    }
}
