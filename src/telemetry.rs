//! Exports spans to an OpenTelemetry collector, with the feature `otel`, if `OTEL_EXPORTER_OTLP_ENDPOINT` names one.
//! Without the feature it does nothing.
//!
//! It exports one span per HTTP request (with the caller's `traceparent` as its parent), per action, and per request to
//! Exchange, with their ids. No span contains a subject, a body or a secret.

#[cfg(feature = "otel")]
pub(crate) use on::{Export, adopt_parent_span};

#[cfg(not(feature = "otel"))]
pub(crate) use off::{Export, adopt_parent_span};

#[cfg(feature = "otel")]
mod on {
    use async_trait::async_trait;
    use bytes::Bytes;
    use http::{HeaderMap, Request, Response, StatusCode};
    use opentelemetry::propagation::TextMapPropagator as _;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
    use opentelemetry_otlp::{
        ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
    };
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tokio::runtime::Handle;
    use tracing::{Span, Subscriber};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;
    use tracing_subscriber::Layer;
    use tracing_subscriber::registry::LookupSpan;

    use crate::http::client;
    use crate::http::connection_pool::HttpRequest;
    use crate::http::url::parse_url;

    /// Either variable names a collector (OpenTelemetry's own variables, which the exporter reads).
    const VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

    /// Exports spans until [`Self::end`].
    pub(crate) struct Export(SdkTracerProvider);

    /// Why the export cannot start.
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum ExportError {
        /// The platform's trust store or the TLS library cannot be loaded.
        #[error(transparent)]
        Tls(#[from] rustls::Error),
        /// The exporter rejects its environment variables.
        #[error(transparent)]
        Exporter(#[from] ExporterBuildError),
    }

    impl Export {
        /// Starts the export, if a collector is configured.
        pub(crate) fn begin() -> Result<Option<Self>, ExportError> {
            if !VARIABLES.iter().any(|name| std::env::var_os(name).is_some()) {
                return Ok(None);
            }
            let http = client::HttpClient::direct()?;
            let exporter = SpanExporter::builder()
                .with_http()
                .with_http_client(CollectorClient { http, runtime: Handle::current() })
                .with_protocol(Protocol::HttpBinary)
                .build()?;
            let resource = Resource::builder().with_service_name("adjourn").build();
            let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
            Ok(Some(Self(provider.build())))
        }

        pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
        where
            S: Subscriber + for<'span> LookupSpan<'span>,
        {
            tracing_opentelemetry::layer().with_tracer(self.0.tracer("adjourn"))
        }

        /// Sends the remaining spans, which may take a moment.
        pub(crate) fn end(self) {
            // An unreachable collector has been logged before.
            let _ = self.0.shutdown();
        }
    }

    /// Makes the caller's span, if it sent one, the parent of this one.
    pub(crate) fn adopt_parent_span(span: &Span, headers: &HeaderMap) {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Without a tracing layer the span has no parent to set.
        let _ = span.set_parent(parent);
    }

    /// Sends the exporter's requests. The exporter runs in a thread of its own, which cannot open connections, so the
    /// service's runtime sends them.
    #[derive(Clone)]
    struct CollectorClient {
        http: client::HttpClient,
        runtime: Handle,
    }

    impl std::fmt::Debug for CollectorClient {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Way")
        }
    }

    #[async_trait]
    impl HttpClient for CollectorClient {
        async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            // Spans, like all other data, cross the network encrypted.
            parse_url(&request.uri().to_string())?;
            let http = self.http.clone();
            let (head, body) = request.into_parts();
            let request = HttpRequest { method: head.method, headers: head.headers, body };
            let sent =
                self.runtime.spawn(async move { http.send_anonymous(&head.uri.to_string(), &request).await });
            let response = sent.await??;
            let mut received = Response::new(response.body);
            *received.status_mut() = StatusCode::from_u16(response.status)?;
            *received.headers_mut() = response.headers;
            Ok(received)
        }
    }
}

#[cfg(not(feature = "otel"))]
mod off {
    use std::convert::Infallible;

    use http::HeaderMap;
    use tracing::Span;
    use tracing_subscriber::layer::Identity;

    /// Never constructed.
    pub(crate) enum Export {}

    impl Export {
        #[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
        pub(crate) fn begin() -> Result<Option<Self>, Infallible> {
            Ok(None)
        }

        pub(crate) fn layer(&self) -> Identity {
            match *self {}
        }

        pub(crate) fn end(self) {
            match self {}
        }
    }

    pub(crate) fn adopt_parent_span(_: &Span, _: &HeaderMap) {}
}
