//! A collector of OpenTelemetry: records as logs, over OTLP with gRPC.

use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::{SEND_TIMEOUT, Severity, failure, json};
use crate::build_info;
use crate::cli::Failure;
use crate::cli::client::describe;
use crate::proto::pedigree::audit::v1::AuditRecord;

/// The name of the records, and of what makes them.
const EVENT_NAME: &str = "pedigree.audit";

/// Nanoseconds of a millisecond.
const MILLISECOND_NANOS: u64 = 1_000_000;

/// A collector.
pub(in crate::cli) struct OtlpSink {
    client: LogsServiceClient<Channel>,
}

impl OtlpSink {
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let refused = |problem: &str| Failure(format!("cannot use --otlp: {problem}"));
        let is_encrypted = url.starts_with("https://");
        if !is_encrypted && !url.starts_with("http://") {
            return Err(refused("it is neither http:// nor https://"));
        }
        let endpoint = Endpoint::from_shared(url.to_owned());
        let endpoint = endpoint.map_err(|error| refused(&error.to_string()))?;
        let mut endpoint = endpoint.timeout(SEND_TIMEOUT);
        if is_encrypted {
            let path = ca.ok_or_else(|| refused("https needs --sink-ca"))?;
            let pem = std::fs::read(path).map_err(|error| failure(path, &error))?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            let secured = endpoint.tls_config(tls);
            endpoint = secured.map_err(|error| refused(&error.to_string()))?;
        }
        let client = LogsServiceClient::new(endpoint.connect_lazy());
        Ok(Self { client })
    }

    pub(super) async fn send(&mut self, records: &[AuditRecord]) -> Result<(), Failure> {
        let log_records = records.iter().map(log_record).collect::<Result<_, _>>()?;
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(Resource {
                    attributes: vec![text("service.name", "pedigree")],
                    ..Resource::default()
                }),
                scope_logs: vec![ScopeLogs {
                    scope: Some(InstrumentationScope {
                        name: EVENT_NAME.into(),
                        version: build_info::VERSION.into(),
                        ..InstrumentationScope::default()
                    }),
                    log_records,
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        };
        let answer = self.client.export(request).await;
        let answer = answer
            .map_err(|status| Failure(format!("collector: {}", describe(&status))))?
            .into_inner();
        match answer.partial_success {
            Some(partial) if partial.rejected_log_records > 0 => Err(Failure(format!(
                "the collector rejects {} records: {}",
                partial.rejected_log_records, partial.error_message
            ))),
            _ => Ok(()),
        }
    }
}

fn log_record(record: &AuditRecord) -> Result<LogRecord, Failure> {
    let severity = match Severity::of(record) {
        Severity::Info => SeverityNumber::Info,
        Severity::Warning => SeverityNumber::Warn,
        Severity::Error => SeverityNumber::Error,
    };
    let outcome = record.outcome();
    let nanos = u64::try_from(record.time).unwrap_or_default() * MILLISECOND_NANOS;
    let attributes = [
        ("audit.id", &*record.id),
        ("audit.outcome", outcome.as_str_name()),
        ("audit.subject", &record.subject),
        ("audit.method", &record.method),
        ("audit.door", &record.door),
        ("audit.request_id", &record.request_id),
        ("audit.peer", &record.peer),
        ("audit.reason", &record.reason),
    ];
    let given = attributes.iter().filter(|(_, value)| !value.is_empty());
    Ok(LogRecord {
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos,
        severity_number: severity.into(),
        severity_text: outcome.as_str_name().into(),
        body: Some(string(&json(record)?)),
        attributes: given.map(|(key, value)| text(key, value)).collect(),
        event_name: EVENT_NAME.into(),
        ..LogRecord::default()
    })
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(string(value)),
        ..KeyValue::default()
    }
}

fn string(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(value.into())),
    }
}
