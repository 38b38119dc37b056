//! The fields of spans and events in a text log.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

/// The beginnings of the names of fields that only collectors of traces read, by the semantic
/// conventions of OpenTelemetry. A log line has the same facts in its other fields.
const COLLECTOR_PREFIXES: [&str; 2] = ["otel.", "rpc."];

/// Writes `message name=value name="text"`, without the fields for collectors. Each request has a
/// span, so text that needs no escapes is copied rather than formatted.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogFields;

impl<'writer> FormatFields<'writer> for LogFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        LineVisitor::format(writer, true, fields)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let is_empty = current.fields.is_empty();
        LineVisitor::format(current.as_writer(), is_empty, fields)
    }
}

struct LineVisitor<'writer> {
    writer: Writer<'writer>,
    /// Whether nothing has been written yet.
    is_empty: bool,
    result: fmt::Result,
}

impl<'writer> LineVisitor<'writer> {
    fn format(writer: Writer<'writer>, is_empty: bool, fields: impl RecordFields) -> fmt::Result {
        let mut visitor = Self {
            writer,
            is_empty,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }

    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'writer>) -> fmt::Result) {
        let name = field.name();
        let is_for_collectors = COLLECTOR_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if self.result.is_err() || is_for_collectors {
            return;
        }
        let is_first = std::mem::replace(&mut self.is_empty, false);
        self.result = (|| {
            if !is_first {
                self.writer.write_char(' ')?;
            }
            if name != "message" {
                self.writer.write_str(name)?;
                self.writer.write_char('=')?;
            }
            value(&mut self.writer)
        })();
    }
}

impl Visit for LineVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_message = field.name() == "message";
        let is_plain = value
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
        self.write(field, |writer| match (is_message, is_plain) {
            (true, true) => writer.write_str(value),
            (false, true) => {
                writer.write_char('"')?;
                writer.write_str(value)?;
                writer.write_char('"')
            }
            (_, false) => write!(writer, "{value:?}"),
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |writer| write!(writer, "{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::field;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log of `log`, without times and levels.
    fn logged(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer()
            .fmt_fields(LogFields)
            .with_ansi(false)
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let text = lines.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_have_the_fields_of_their_spans_but_not_those_for_collectors() {
        let log = logged(|| {
            let span = tracing::info_span!(
                "request",
                otel.kind = "server",
                method = "/a.B/C",
                rpc.system = "grpc",
                rpc.grpc.status_code = field::Empty,
                peer = field::display("127.0.0.1:1"),
                trace_id = field::Empty,
            );
            span.record("rpc.grpc.status_code", 0);
            span.record("trace_id", "abc");
            let _entered = span.enter();
            tracing::info!(count = 3, error = "no \"such\"\nrow", "done {}", 1);
        });
        assert_eq!(
            log,
            "request{method=\"/a.B/C\" peer=127.0.0.1:1 trace_id=\"abc\"}: \
             done 1 count=3 error=\"no \\\"such\\\"\\nrow\"\n"
        );
    }

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        let log = logged(|| tracing::warn!(id = "a\nWARN forged", "x"));
        assert_eq!(log, "x id=\"a\\nWARN forged\"\n");
    }
}
