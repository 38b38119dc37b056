//! The rows of files of an export, each a value of an attribute of a run.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::data_type::Decimal;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;

/// The rows that are handed on together.
const BATCH_ROWS: usize = 1000;

/// The batches that wait.
const WAITING_BATCHES: usize = 4;

/// A value of an attribute.
#[derive(Debug, Default)]
pub(super) struct AttributeRow {
    pub project: String,
    pub run: String,
    /// The path of the attribute.
    pub path: String,
    pub kind: String,
    /// The step of a series: a number, and by which power of ten it is to be divided.
    pub step: Option<(i128, u32)>,
    /// Milliseconds since epoch.
    pub time: Option<i64>,
    pub value: AttributeValue,
}

/// What an attribute has.
#[derive(Debug, Default, PartialEq)]
pub(super) enum AttributeValue {
    #[default]
    None,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Milliseconds since epoch.
    Time(i64),
    Texts(Vec<String>),
    /// The path of a file below those of the export.
    File(String),
}

/// Rows, or what is wrong with the file.
pub(super) type RowBatch = Result<Vec<AttributeRow>, String>;

/// The rows of a file, which another thread reads ahead.
pub(super) fn of_file(path: &Path) -> Receiver<RowBatch> {
    let (sender, receiver) = channel(WAITING_BATCHES);
    let path = path.to_owned();
    // A file that makes the reader panic ends its rows early, which the number of rows shows.
    drop(spawn_blocking(move || {
        if let Err(why) = send_all(path, &sender) {
            let _ = sender.blocking_send(Err(why));
        }
    }));
    receiver
}

fn send_all(path: PathBuf, sender: &Sender<RowBatch>) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
    let rows = reader.metadata().file_metadata().num_rows();
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    let mut read = 0;
    for row in reader
        .get_row_iter(None)
        .map_err(|error| error.to_string())?
    {
        let row = row.map_err(|error| format!("row {read}: {error}"))?;
        batch.push(attribute(row).map_err(|why| format!("row {read}: {why}"))?);
        read += 1;
        if batch.len() == BATCH_ROWS
            && sender
                .blocking_send(Ok(std::mem::take(&mut batch)))
                .is_err()
        {
            return Ok(());
        }
    }
    if read != rows {
        return Err(format!("{read} of {rows} rows can be read"));
    }
    let _ = sender.blocking_send(Ok(batch));
    Ok(())
}

/// The value in a row.
fn attribute(row: Row) -> Result<AttributeRow, String> {
    let mut found = AttributeRow::default();
    for (name, field) in row.into_columns() {
        let value = match (name.as_str(), field) {
            (_, Field::Null) => continue,
            ("project_id", Field::Str(text)) => {
                found.project = text;
                continue;
            }
            ("run_id", Field::Str(text)) => {
                found.run = text;
                continue;
            }
            ("attribute_path", Field::Str(text)) => {
                found.path = text;
                continue;
            }
            ("attribute_type", Field::Str(text)) => {
                found.kind = text;
                continue;
            }
            ("step", Field::Decimal(step)) => {
                found.step = Some(decimal(&step).ok_or("the step is no number")?);
                continue;
            }
            ("timestamp", field) => {
                found.time = Some(time(&field).ok_or("the timestamp is no time")?);
                continue;
            }
            ("int_value", Field::Long(value)) => AttributeValue::Int(value),
            ("float_value", Field::Double(value)) => AttributeValue::Float(value),
            ("bool_value", Field::Bool(value)) => AttributeValue::Bool(value),
            ("string_value", Field::Str(value)) => AttributeValue::Text(value),
            ("datetime_value", field) => {
                AttributeValue::Time(time(&field).ok_or("datetime_value is no time")?)
            }
            ("string_set_value", Field::ListInternal(list)) => {
                let texts = list.elements().iter().filter_map(|it| match it {
                    Field::Str(text) => Some(text.clone()),
                    _ => None,
                });
                AttributeValue::Texts(texts.collect())
            }
            ("file_value", Field::Group(group)) => {
                let path = group
                    .into_columns()
                    .into_iter()
                    .find_map(|column| match column {
                        (name, Field::Str(path)) if name == "path" => Some(path),
                        _ => None,
                    });
                AttributeValue::File(path.ok_or("file_value has no path")?)
            }
            _ => continue,
        };
        found.value = value;
    }
    if [&found.project, &found.run, &found.path, &found.kind]
        .iter()
        .any(|it| it.is_empty())
    {
        let columns = "project_id, run_id, attribute_path and attribute_type";
        return Err(format!("it has not all of {columns}"));
    }
    Ok(found)
}

fn time(field: &Field) -> Option<i64> {
    match field {
        Field::TimestampMillis(milliseconds) => Some(*milliseconds),
        Field::TimestampMicros(microseconds) => Some(microseconds.div_euclid(1000)),
        _ => None,
    }
}

/// The digits of a decimal, and by which power of ten they are to be divided.
fn decimal(decimal: &Decimal) -> Option<(i128, u32)> {
    let bytes = decimal.data();
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [sign; 16];
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some((i128::from_be_bytes(wide), decimal.scale().try_into().ok()?))
}

impl AttributeRow {
    /// The step as an integer, after it was multiplied. A fraction is cut off.
    pub(super) fn whole_step(&self, multiplier: i64) -> Option<i64> {
        let (digits, scale) = self.step.unwrap_or_default();
        let divisor = 10_i128.checked_pow(scale)?;
        let step = digits.checked_mul(multiplier.into())? / divisor;
        step.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_decimals_of_any_sign() {
        for (digits, multiplier, expected) in [
            (3_000_000, 1, 3),
            (2_500_000, 1, 2),
            (2_500_000, 10, 25),
            (-1_000_000, 1, -1),
        ] {
            let step = decimal(&Decimal::from_i64(digits, 18, 6));
            let row = AttributeRow {
                step,
                ..AttributeRow::default()
            };
            assert_eq!(row.whole_step(multiplier), Some(expected), "{digits}");
        }
        let none = AttributeRow::default();
        assert_eq!(none.whole_step(5), Some(0));
    }
}
