//! Records in the Common Event Format, as messages of syslog (RFC 5424).

use std::fmt::Write;

use super::Severity;
use crate::build_info;
use crate::proto::pedigree::audit::v1::AuditRecord;
use crate::utc::utc_text;

/// The facility "log audit" (RFC 5424, section 6.2.1).
const SYSLOG_FACILITY: u8 = 13;

/// A record as a message.
pub(super) fn message(record: &AuditRecord) -> String {
    // Severities of syslog, and of CEF from 0 to 10.
    let (severity, level) = match Severity::of(record) {
        Severity::Info => (6, 2),
        Severity::Warning => (4, 5),
        Severity::Error => (3, 8),
    };
    let priority = SYSLOG_FACILITY * 8 + severity;
    let name = record.outcome().as_str_name();
    let time = utc_text(record.time);
    let version = header(build_info::VERSION);
    let method = if record.method.is_empty() {
        "unknown"
    } else {
        &record.method
    };
    let mut text = format!(
        "<{priority}>1 {time} - pedigree - {name} - \
         CEF:0|Pedigree|pedigree|{version}|{name}|{}|{level}|",
        header(method)
    );
    let (host, port) = record.peer.rsplit_once(':').unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let count = record.count.to_string();
    let changes: Vec<String> = record
        .changes
        .iter()
        .map(|change| {
            let ids: Vec<String> = change.ids.iter().map(i64::to_string).collect();
            let (operation, subject) = (&change.operation, &change.subject);
            let text = format!("{operation} {} {subject} {}", change.count, ids.join(","));
            text.trim_end().to_owned()
        })
        .collect();
    let fields = [
        ("rt", record.time.to_string()),
        ("externalId", record.id.clone()),
        ("suser", record.subject.clone()),
        ("app", record.door.clone()),
        ("src", host.to_owned()),
        ("spt", port.to_owned()),
        ("reason", record.reason.clone()),
        ("cnt", count),
        ("cs1Label", "requestId".into()),
        ("cs1", record.request_id.clone()),
        ("msg", changes.join("; ")),
    ];
    let mut separator = "";
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(text, "{separator}{key}={}", extension(value));
        separator = " ";
    }
    text
}

/// A value of the header.
fn header(value: &str) -> String {
    let value = value.replace(char::is_control, " ");
    value.replace('\\', r"\\").replace('|', r"\|")
}

/// A value of the extension.
fn extension(value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('=', r"\=");
    let value = value.replace('\n', r"\n").replace('\r', r"\r");
    value.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pedigree::audit::v1::{AuditChange, Outcome};

    #[test]
    fn a_record_is_one_line_without_room_for_forgery() {
        let record = AuditRecord {
            id: "7.0".into(),
            time: 1_764_212_400_123,
            outcome: Outcome::PermissionDenied.into(),
            subject: "jwt:a:x|y=z\nrt=0".into(),
            method: "/a|b".into(),
            door: "ml_metadata".into(),
            request_id: "r".into(),
            peer: "[::1]:4321".into(),
            reason: r"refused\".into(),
            count: 2,
            ..AuditRecord::default()
        };
        let expected = format!(
            "<108>1 2025-11-27T03:00:00.123Z - pedigree - PERMISSION_DENIED - \
             CEF:0|Pedigree|pedigree|{}|PERMISSION_DENIED|/a\\|b|5|rt=1764212400123 \
             externalId=7.0 suser=jwt:a:x|y\\=z\\nrt\\=0 app=ml_metadata src=::1 spt=4321 \
             reason=refused\\\\ cnt=2 cs1Label=requestId cs1=r",
            build_info::VERSION
        );
        assert_eq!(message(&record), expected);
    }

    #[test]
    fn a_write_has_its_changes() {
        let change = |subject: &str, ids: &[i64]| AuditChange {
            operation: "created".into(),
            subject: subject.into(),
            ids: ids.to_vec(),
            count: 2,
        };
        let record = AuditRecord {
            outcome: Outcome::Written.into(),
            changes: vec![change("artifact", &[1, 2]), change("event", &[])],
            ..AuditRecord::default()
        };
        let message = message(&record);
        assert!(message.starts_with("<110>1 "), "{message}");
        let end = "msg=created 2 artifact 1,2; created 2 event";
        assert!(message.ends_with(end), "{message}");
    }
}
