//! `users`: the directory's people and rooms, by address, object id or filter.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::access::mailbox_of;
use super::context::GraphContext;
use super::error::GraphError;
use super::filter::Filter;
use super::json_object::object;
use super::paging;
use super::query::{self, QueryOptions};
use super::reply::GraphReply;
use crate::sim::ids;
use crate::sim::mailbox::Mailbox;

const USER: &[&str] =
    &["id", "displayName", "mail", "mailNickname", "userPrincipalName", "proxyAddresses", "accountEnabled"];
/// Properties returned without `$select`.
const DEFAULT: &[&str] = &["id", "displayName", "mail", "userPrincipalName"];

/// The part of `@odata.context` for the user in the path.
pub(super) fn fragment(context: &GraphContext<'_>) -> String {
    let user = context.call.segments.get(1).map_or("", String::as_str);
    let encoded: String = form_urlencoded::byte_serialize(user.as_bytes()).collect();
    format!("users('{encoded}')")
}

pub(super) fn get(context: &GraphContext<'_>, user: &str) -> Result<GraphReply, GraphError> {
    let options = read(context)?;
    let mailbox = mailbox_of(context.world, user).ok_or_else(|| {
        let text = format!(
            "Resource '{user}' does not exist or one of its queried reference-property objects are not present."
        );
        GraphError::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", text)
    })?;
    let mut shown = shown(mailbox, &options);
    shown.insert("@odata.context".to_owned(), json!(context.metadata("users/$entity")));
    Ok(GraphReply::ok(Value::Object(shown)))
}

pub(super) fn list(context: &GraphContext<'_>) -> Result<GraphReply, GraphError> {
    let options = read(context)?;
    let filter = options.filter.as_deref().map(Filter::parse).transpose()?;
    let is_known = |path: &&str| USER.contains(path);
    if let Some(path) = filter.iter().flat_map(Filter::paths).find(|path| !is_known(path)) {
        let text = format!("Invalid filter clause: Could not find a property named '{path}'.");
        return Err(GraphError::bad_request("Request_UnsupportedQuery", text));
    }
    let is_wanted = |mailbox: &&Mailbox| {
        filter.as_ref().is_none_or(|filter| filter.matches(&Value::Object(user(mailbox))))
    };
    let found: Vec<&Mailbox> = context.world.mailboxes().filter(is_wanted).collect();
    let render = |mailbox: &&Mailbox| shown(mailbox, &options);
    Ok(GraphReply::ok(paging::page(context.call, context.metadata("users"), &options, &found, render)))
}

fn read(context: &GraphContext<'_>) -> Result<QueryOptions, GraphError> {
    let options = QueryOptions::read(context.call, &context.preferences)?;
    options.check_select("user", USER)?;
    Ok(options)
}

fn shown(mailbox: &Mailbox, options: &QueryOptions) -> Map<String, Value> {
    let default = || DEFAULT.iter().map(|name| (*name).to_owned()).collect();
    let names: Vec<String> = options.select.clone().unwrap_or_else(default);
    query::select(user(mailbox), Some(&names))
}

fn user(mailbox: &Mailbox) -> Map<String, Value> {
    let others = mailbox.entry.proxies.iter().map(|proxy| format!("smtp:{proxy}"));
    let proxies: Vec<String> = std::iter::once(format!("SMTP:{}", mailbox.address)).chain(others).collect();
    object(json!({
        "id": ids::guid(mailbox.number),
        "displayName": mailbox.name,
        "mail": mailbox.address,
        "mailNickname": mailbox.address.split('@').next(),
        "userPrincipalName": mailbox.address,
        "proxyAddresses": proxies,
        "accountEnabled": true,
    }))
}
