//! Spans for an OpenTelemetry collector, with the feature `otel`: where `OTEL_EXPORTER_OTLP_ENDPOINT` names one. Without the
//! feature nothing here does anything.
//!
//! What is exported: a span per request (with the caller's `traceparent` as its parent), per action, and per request to
//! Exchange, with their ids. Never a subject, a body or a secret: those are in no span.

#[cfg(feature = "otel")]
pub(crate) use on::{Export, adopt_parent_span};

#[cfg(not(feature = "otel"))]
pub(crate) use off::{Export, adopt_parent_span};

#[cfg(feature = "otel")]
mod on {
    use std::sync::Arc;

    use async_trait::async_trait;
    use bytes::Bytes;
    use http::{HeaderMap, Request, Response};
    use opentelemetry::propagation::TextMapPropagator as _;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
    use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tokio::runtime::Handle;
    use tracing::{Span, Subscriber};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;
    use tracing_subscriber::Layer;
    use tracing_subscriber::registry::LookupSpan;

    use crate::https_client::{HttpsClient, parse_url};

    /// Any of these names a collector (OpenTelemetry's own variables, which the exporter reads).
    const VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

    /// Exports spans until it is ended.
    pub(crate) struct Export(SdkTracerProvider);

    impl Export {
        /// Begins, where a collector is named.
        pub(crate) fn begin() -> Result<Option<Self>, String> {
            if !VARIABLES.iter().any(|name| std::env::var_os(name).is_some()) {
                return Ok(None);
            }
            let web = HttpsClient::new().map_err(|error| error.to_string())?;
            let exporter = SpanExporter::builder()
                .with_http()
                .with_http_client(CollectorClient { web: Arc::new(web), runtime: Handle::current() })
                .with_protocol(Protocol::HttpBinary)
                .build()
                .map_err(|error| error.to_string())?;
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

        /// Sends what is left, which may take a moment.
        pub(crate) fn end(self) {
            // A collector that is away now was away before; there is nobody left to tell.
            let _ = self.0.shutdown();
        }
    }

    /// The caller's span, where it sent one, is the parent of this.
    pub(crate) fn adopt_parent_span(span: &Span, headers: &HeaderMap) {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Without a layer there is nothing to set it on.
        let _ = span.set_parent(parent);
    }

    /// The exporter has a thread of its own, where no connection can be made: they are made in the service's runtime.
    #[derive(Clone)]
    struct CollectorClient {
        web: Arc<HttpsClient>,
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
            // Not readable over the network, like everything else.
            parse_url(&request.uri().to_string())?;
            let web = self.web.clone();
            let sent = self.runtime.spawn(async move { web.send(request).await });
            sent.await?.map_err(HttpError::from)
        }
    }
}

#[cfg(not(feature = "otel"))]
mod off {
    use http::HeaderMap;
    use tracing::Span;
    use tracing_subscriber::layer::Identity;

    /// There is none.
    pub(crate) enum Export {}

    impl Export {
        #[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
        pub(crate) fn begin() -> Result<Option<Self>, String> {
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
