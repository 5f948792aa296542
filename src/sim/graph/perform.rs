//! One request from its route to its outcome: log, concurrency limit, latency, injected faults, and the operation on
//! the locked world. Writes no HTTP.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;

use super::access::mailbox_of;
use super::call::GraphCall;
use super::context::GraphContext;
use super::error::GraphError;
use super::execute::execute;
use super::options::GraphOptions;
use super::preferences::Preferences;
use super::reply::{GraphOutcome, GraphReply};
use super::routing::{self, Route, RoutedRequest};
use super::throttling::{MailboxConcurrency, throttled};
use crate::clock::{Clock as _, SystemClock};
use crate::sim::faults::InjectedFault;
use crate::sim::login::AuthScheme;
use crate::sim::mailbox::key;
use crate::sim::options::SimulatorOptions;
use crate::sim::request_log::LoggedRequest;
use crate::sim::state::SharedState;

/// The world behind Graph.
pub(super) struct GraphBackEnd {
    state: Arc<SharedState>,
    pub(super) options: GraphOptions,
    latency: Duration,
    fixed_now: Option<DateTime<Utc>>,
    running: MailboxConcurrency,
}

impl GraphBackEnd {
    pub(super) fn new(state: Arc<SharedState>, options: &SimulatorOptions) -> Self {
        Self {
            state,
            options: options.graph.clone(),
            latency: options.latency,
            fixed_now: options.now,
            running: MailboxConcurrency::default(),
        }
    }

    /// The current time of the server.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.fixed_now.unwrap_or_else(|| SystemClock.now())
    }

    /// Performs one request that is no batch.
    pub(super) async fn perform(
        &self,
        call: &GraphCall,
        connection: u64,
    ) -> Result<GraphOutcome, GraphError> {
        let routed = routing::route(call);
        let operation = routed.as_ref().map_or("", |routed| routed.operation);
        let mailbox = routed.as_ref().ok().and_then(|routed| self.mailbox_in(&routed.route));
        let number = mailbox.as_ref().and_then(|(_, number)| *number);
        let most = self.options.concurrent_requests;
        let permit = number.map(|number| self.running.begin(number, most));
        self.log(call, operation, mailbox.as_ref().map(|(address, _)| address.clone()), connection);
        let RoutedRequest { route, .. } = routed?;
        if matches!(permit, Some(None)) {
            return Err(throttled(self.options.retry_after));
        }
        tokio::time::sleep(self.latency).await;
        let injected =
            self.pick_fault(operation, mailbox.as_ref().map(|(address, _)| address.as_str())).await;
        if let Some(instead) = injected.as_ref().and_then(|fault| before_execution(fault, &self.options)) {
            return instead;
        }
        let answer = self.execute(call, &route, injected.as_ref());
        after_execution(answer, injected)
    }

    /// The address of a route's mailbox, and its number if it exists.
    fn mailbox_in(&self, route: &Route) -> Option<(String, Option<u32>)> {
        let Route::Mailbox { user, .. } = route else { return None };
        let state = self.state.lock();
        let found = mailbox_of(&state.world, user);
        let address = found.map_or_else(|| key(user), |mailbox| key(&mailbox.address));
        Some((address, found.map(|mailbox| mailbox.number)))
    }

    pub(super) fn log(&self, call: &GraphCall, operation: &str, mailbox: Option<String>, connection: u64) {
        self.state.lock().request_log.push(LoggedRequest {
            at: self.now(),
            operation: operation.to_owned(),
            mailbox,
            anchor: None,
            client_request_id: call.header("client-request-id").map(str::to_owned),
            scheme: AuthScheme::Bearer,
            connection,
        });
    }

    /// The fault to inject; a delay is served here.
    pub(super) async fn pick_fault(&self, operation: &str, mailbox: Option<&str>) -> Option<InjectedFault> {
        let picked =
            self.state.lock().fault_rules.iter_mut().find_map(|rule| rule.trigger(operation, mailbox));
        match picked {
            Some(InjectedFault::Slow(time)) => {
                tokio::time::sleep(time).await;
                None
            }
            picked => picked,
        }
    }

    fn execute(
        &self,
        call: &GraphCall,
        route: &Route,
        injected: Option<&InjectedFault>,
    ) -> Result<GraphReply, GraphError> {
        let preferences = Preferences::read(&call.headers)?;
        let applied = preferences.applied.join(", ");
        let mut state = self.state.lock();
        let world = &mut state.world;
        world.set_now(self.now());
        if let Some(InjectedFault::ConcurrentChange(change)) = injected {
            change(world);
        }
        world.mail_refused = matches!(injected, Some(InjectedFault::MailRefused(_)));
        let mut context = GraphContext { world, options: &self.options, call, preferences };
        let result = execute(&mut context, route);
        context.world.mail_refused = false;
        let reply = result?;
        Ok(if applied.is_empty() { reply } else { reply.with_header("Preference-Applied", applied) })
    }
}

/// The outcome of a fault that replaces the operation.
pub(super) fn before_execution(
    fault: &InjectedFault,
    options: &GraphOptions,
) -> Option<Result<GraphOutcome, GraphError>> {
    let unavailable = |retry_after| GraphError {
        retry_after,
        ..GraphError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "The service is temporarily unavailable. Try again later.",
        )
    };
    Some(match fault {
        InjectedFault::BusyPage(retry_after) => Err(unavailable(*retry_after)),
        // `Retry-After` has whole seconds: a shorter back-off is none.
        InjectedFault::BusyFault(back_off) | InjectedFault::BusyMessage(back_off) => {
            Err(throttled(back_off / 1_000))
        }
        InjectedFault::TooManyConnections => Err(throttled(options.retry_after)),
        InjectedFault::Fault(code) | InjectedFault::ItemError(code) => {
            Err(GraphError::of_code(code, "Scripted."))
        }
        InjectedFault::GraphError(status, code) => {
            Err(GraphError::new(http_status(*status), *code, "Scripted."))
        }
        InjectedFault::ResetBefore => Ok(GraphOutcome::Reset),
        InjectedFault::Page(status) => Ok(GraphOutcome::Page(http_status(*status), None)),
        _ => return None,
    })
}

/// Applies the faults of the response to what the operation returned.
pub(super) fn after_execution(
    answer: Result<GraphReply, GraphError>,
    injected: Option<InjectedFault>,
) -> Result<GraphOutcome, GraphError> {
    match injected {
        Some(InjectedFault::ResetAfter) => Ok(GraphOutcome::Reset),
        Some(InjectedFault::Garbage) => Ok(GraphOutcome::Garbage),
        Some(InjectedFault::PageAfter(status) | InjectedFault::AppliedThenPage(status)) => {
            Ok(GraphOutcome::Page(http_status(status), None))
        }
        Some(InjectedFault::Truncated(after)) => answer.map(|reply| GraphOutcome::Truncated(reply, after)),
        Some(
            InjectedFault::FaultAfter(code)
            | InjectedFault::ItemErrorAfter(code)
            | InjectedFault::MailRefused(code),
        ) => answer.and_then(|_| Err(GraphError::of_code(code, "Scripted."))),
        _ => answer.map(GraphOutcome::Reply),
    }
}

fn http_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}
