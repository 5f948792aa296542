//! The responses of operations in the OpenAPI description, each status by itself: problems, and actions. Sends no response.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::response::Response;
use utoipa::openapi::{ContentBuilder, Header, HeaderBuilder, Object, Ref, RefOr, ResponseBuilder, Type};

type Responses = BTreeMap<String, RefOr<Response>>;

/// Problems of every operation.
pub(super) struct ClientErrors;

/// Problems of operations that need no key and use Exchange.
pub(super) struct KeylessErrors;

/// Problems of operations on something that the path or the query names.
pub(super) struct NotFound;

/// Problems of operations with a body.
pub(super) struct BodyErrors;

/// Problems of operations with an `Idempotency-Key`.
pub(super) struct KeyErrors;

/// Problems of operations that use Exchange: those of every operation, and Exchange's own.
pub(super) struct BackendErrors;

/// Responses of operations that request an action.
pub(super) struct ActionResponses;

impl IntoResponses for ClientErrors {
    fn responses() -> Responses {
        problems(&[
            ("400", "The request is malformed: `errors` names the members of the body that are wrong"),
            ("401", "No key or token, or an invalid one"),
            ("403", "The key lacks the right"),
            ("429", "The key has sent too many requests, or has too many in progress"),
            ("503", "Temporarily unavailable: retry later"),
        ])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Responses {
        problems(&[("404", "Not found, or not visible to this key")])
    }
}

impl IntoResponses for BodyErrors {
    fn responses() -> Responses {
        problems(&[("408", "The body did not arrive in time"), ("413", "The body is too large")])
    }
}

impl IntoResponses for KeyErrors {
    fn responses() -> Responses {
        problems(&[("422", "The `Idempotency-Key` was used for another request")])
    }
}

impl IntoResponses for BackendErrors {
    fn responses() -> Responses {
        let mut all = ClientErrors::responses();
        all.extend(problems(&[(
            "502",
            "Exchange refused the request, or a person has to check the calendar",
        )]));
        all
    }
}

impl IntoResponses for KeylessErrors {
    fn responses() -> Responses {
        let mut all = BackendErrors::responses();
        all.retain(|status, _| !matches!(status.as_str(), "401" | "403"));
        all
    }
}

impl IntoResponses for ActionResponses {
    fn responses() -> Responses {
        let mut all = BackendErrors::responses();
        all.extend(NotFound::responses());
        all.extend(BodyErrors::responses());
        all.extend(problems(&[
            ("409", "The room's calendar has a conflict: read the room again and decide again"),
            ("422", "The request is well-formed and cannot be carried out"),
        ]));
        let done = action_response("The action has ended").build();
        let location = header("Address of the action");
        let again = header("Seconds after which to poll that address");
        let under_way = action_response("The action is in progress: poll the address in `Location`");
        all.insert("200".to_owned(), done.into());
        let under_way = under_way.header("Location", location).header("Retry-After", again);
        all.insert("202".to_owned(), under_way.build().into());
        all
    }
}

fn action_response(description: &str) -> ResponseBuilder {
    let view = ContentBuilder::new().schema(Some(Ref::from_schema_name("ActionView"))).build();
    ResponseBuilder::new().description(description).content("application/json", view)
}

fn problems(statuses: &[(&str, &str)]) -> Responses {
    statuses.iter().map(|(status, what)| ((*status).to_owned(), problem_response(what))).collect()
}

fn problem_response(what: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(what).content("application/problem+json", content).build().into()
}

/// A header with a text.
pub(super) fn header(description: &str) -> Header {
    let text = Object::with_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
}
