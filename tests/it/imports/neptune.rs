//! `pedigree import neptune`, from files as `neptune-exporter` writes them.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::json;

use super::{Imported, by_key, import};
use crate::mlflow::artifacts::ask;
use crate::support::{Backend, TestDatabase};

blocking_on_every_database! {
    an_export_is_imported_once,
    what_is_wrong_is_named_and_comes_with_the_next_import,
}

/// The columns of the exporter.
const SCHEMA: &str = "message schema {
    OPTIONAL BYTE_ARRAY project_id (UTF8);
    OPTIONAL BYTE_ARRAY run_id (UTF8);
    OPTIONAL BYTE_ARRAY attribute_path (UTF8);
    OPTIONAL BYTE_ARRAY attribute_type (UTF8);
    OPTIONAL FIXED_LEN_BYTE_ARRAY(8) step (DECIMAL(18,6));
    OPTIONAL INT64 timestamp (TIMESTAMP_MILLIS);
    OPTIONAL INT64 int_value;
    OPTIONAL DOUBLE float_value;
    OPTIONAL BYTE_ARRAY string_value (UTF8);
    OPTIONAL BOOLEAN bool_value;
    OPTIONAL INT64 datetime_value (TIMESTAMP_MILLIS);
    OPTIONAL group string_set_value (LIST) {
        REPEATED group list { OPTIONAL BYTE_ARRAY element (UTF8); }
    }
    OPTIONAL group file_value { OPTIONAL BYTE_ARRAY path (UTF8); }
    OPTIONAL group histogram_value {
        OPTIONAL BYTE_ARRAY type (UTF8);
        OPTIONAL group edges (LIST) { REPEATED group list { OPTIONAL DOUBLE element; } }
        OPTIONAL group values (LIST) { REPEATED group list { OPTIONAL DOUBLE element; } }
    }
}";

/// A row.
#[derive(Clone, Default)]
struct Row {
    run: &'static str,
    path: &'static str,
    kind: &'static str,
    /// In millionths.
    step: Option<i64>,
    time: Option<i64>,
    int: Option<i64>,
    float: Option<f64>,
    text: Option<&'static str>,
    flag: Option<bool>,
    date: Option<i64>,
    set: Vec<&'static str>,
    file: Option<&'static str>,
}

impl Row {
    fn new(path: &'static str, kind: &'static str) -> Self {
        Self {
            run: "RUN-1",
            path,
            kind,
            ..Self::default()
        }
    }

    fn text(path: &'static str, text: &'static str) -> Self {
        Self {
            text: Some(text),
            ..Self::new(path, "string")
        }
    }

    fn date(path: &'static str, date: i64) -> Self {
        Self {
            date: Some(date),
            ..Self::new(path, "datetime")
        }
    }

    fn point(path: &'static str, step: i64, time: i64, value: f64) -> Self {
        Self {
            step: Some(step),
            time: Some(time),
            float: Some(value),
            ..Self::new(path, "float_series")
        }
    }

    fn file(path: &'static str, kind: &'static str, file: &'static str) -> Self {
        Self {
            step: (kind == "file_series").then_some(2_000_000),
            file: Some(file),
            ..Self::new(path, kind)
        }
    }
}

type Group<'w> = SerializedRowGroupWriter<'w, File>;

/// Writes a column that has no value where there is none.
fn column<T: DataType>(group: &mut Group<'_>, values: Vec<Option<T::T>>) {
    let levels: Vec<i16> = values.iter().map(|it| i16::from(it.is_some())).collect();
    levelled::<T>(
        group,
        &values.into_iter().flatten().collect::<Vec<_>>(),
        &levels,
        None,
    );
}

fn levelled<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    levels: &[i16],
    repeated: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    let writer = column.typed::<T>();
    writer.write_batch(values, Some(levels), repeated).unwrap();
    column.close().unwrap();
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text)
}

/// Writes a file with these rows.
fn write(path: &Path, rows: &[Row]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = |get: fn(&Row) -> Option<&'static str>| -> Vec<Option<ByteArray>> {
        rows.iter().map(|row| get(row).map(bytes)).collect()
    };
    column::<ByteArrayType>(&mut group, texts(|_| Some("team/churn")));
    column::<ByteArrayType>(&mut group, texts(|row| Some(row.run)));
    column::<ByteArrayType>(&mut group, texts(|row| Some(row.path)));
    column::<ByteArrayType>(&mut group, texts(|row| Some(row.kind)));
    let step = |row: &Row| {
        let step = row.step?.to_be_bytes().to_vec();
        Some(FixedLenByteArray::from(step))
    };
    column::<FixedLenByteArrayType>(&mut group, rows.iter().map(step).collect());
    column::<Int64Type>(&mut group, rows.iter().map(|row| row.time).collect());
    column::<Int64Type>(&mut group, rows.iter().map(|row| row.int).collect());
    column::<DoubleType>(&mut group, rows.iter().map(|row| row.float).collect());
    column::<ByteArrayType>(&mut group, texts(|row| row.text));
    column::<BoolType>(&mut group, rows.iter().map(|row| row.flag).collect());
    column::<Int64Type>(&mut group, rows.iter().map(|row| row.date).collect());
    let (mut values, mut levels, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        if row.set.is_empty() {
            levels.push(0);
            repeated.push(0);
        }
        for (index, text) in row.set.iter().enumerate() {
            values.push(bytes(text));
            levels.push(3);
            repeated.push(i16::from(index > 0));
        }
    }
    levelled::<ByteArrayType>(&mut group, &values, &levels, Some(&repeated));
    let files: Vec<ByteArray> = rows.iter().filter_map(|row| row.file.map(bytes)).collect();
    let levels: Vec<i16> = rows
        .iter()
        .map(|row| if row.file.is_some() { 2 } else { 0 })
        .collect();
    levelled::<ByteArrayType>(&mut group, &files, &levels, None);
    let none = vec![0; rows.len()];
    levelled::<ByteArrayType>(&mut group, &[], &none, None);
    levelled::<DoubleType>(&mut group, &[], &none, Some(&none));
    levelled::<DoubleType>(&mut group, &[], &none, Some(&none));
    group.close().unwrap();
    writer.close().unwrap();
}

/// The rows of a run, but for its long series.
fn rows() -> Vec<Row> {
    let set = Row {
        set: vec!["red", "try"],
        ..Row::new("sys/tags", "string_set")
    };
    let ran = Row {
        float: Some(2.5),
        ..Row::new("sys/running_time", "float")
    };
    let depth = Row {
        int: Some(3),
        ..Row::new("params/depth", "int")
    };
    let flag = Row {
        flag: Some(true),
        ..Row::new("params/flag", "bool")
    };
    let log = Row {
        text: Some("a line"),
        ..Row::new("monitoring/stdout", "string_series")
    };
    vec![
        Row::date("sys/creation_time", 1_735_787_045_000),
        Row::date("sys/modification_time", 1_735_790_645_000),
        Row::text("sys/owner", "ada"),
        Row::text("sys/state", "Inactive"),
        Row::text("sys/description", "what it is"),
        Row::text("params/kind", "tree"),
        Row::point("metrics/acc", 1_000_000, 7, 0.5),
        Row::point("metrics/acc", 1_500_000, 8, f64::INFINITY),
        Row::file("model/weights", "file", "p/w.bin"),
        Row::file("images", "file_series", "p/image.png"),
        Row::file("code", "file_set", "p/code"),
        set,
        ran,
        depth,
        flag,
        log,
    ]
}

fn write_files(folder: &Path) {
    fs::create_dir_all(folder.join("p/code/src")).unwrap();
    for (path, text) in [
        ("p/w.bin", "weights"),
        ("p/image.png", "image"),
        ("p/code/src/a.py", "print()"),
    ] {
        fs::write(folder.join(path), text).unwrap();
    }
}

fn on_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

fn an_export_is_imported_once(backend: Backend) {
    on_runtime(import_twice(backend));
}

async fn import_twice(backend: Backend) {
    let database = TestDatabase::new(backend);
    let data = database.dir().join("data/team_churn");
    write(&data.join("RUN-1_part_0.parquet"), &rows());
    let long: Vec<Row> = (0..6000)
        .map(|step| Row::point("loss", step * 1_000_000, step, 0.5))
        .collect();
    write(&data.join("RUN-1_part_1.parquet"), &long);
    write_files(&database.dir().join("files"));
    let arguments = [
        "neptune",
        "data",
        "--files",
        "files",
        "--step-multiplier",
        "10",
    ];
    let first = import(&database, &arguments);
    assert!(first.status.success(), "{first:?}");
    let left_out = "team/churn/RUN-1; 1 rows of string_series left out";
    assert!(first.stdout.contains(left_out), "{first:?}");
    let expected = "imported 1 experiments, 1 runs with 6002 points of metrics, 0 models, 0 \
                    versions, 0 artifacts and 3 files; 0 runs were there already";
    assert!(first.stdout.contains(expected), "{first:?}");
    let second = import(&database, &arguments);
    assert!(second.status.success(), "{second:?}");
    let expected = "0 runs with 0 points of metrics, 0 models, 0 versions, 0 artifacts and 0 \
                    files; 1 runs";
    assert!(second.stdout.contains(expected), "{second:?}");

    let server = Imported::open(&database);
    let run = server.runs("team/churn").await.pop().unwrap();
    let info = &run["info"];
    assert_eq!(
        (&info["run_name"], &info["status"]),
        (&json!("RUN-1"), &json!("FINISHED"))
    );
    assert_eq!(info["user_id"], "ada");
    assert_eq!(info["start_time"], json!(1_735_787_045_000_i64));
    assert_eq!(info["end_time"], json!(1_735_787_047_500_i64));
    let params = json!(by_key(&run["data"]["params"]));
    let expected = json!({"params/depth": "3", "params/flag": "true", "params/kind": "tree"});
    assert_eq!(params, expected);
    let tags = by_key(&run["data"]["tags"]);
    assert_eq!(tags["mlflow.note.content"], "what it is");
    assert_eq!(tags["neptune.run"], "team/churn/RUN-1");
    assert_eq!(tags["neptune.sys/tags"], "[\"red\",\"try\"]");
    let points = server.history(&run, "metrics/acc").await;
    assert_eq!(points, [(10, 7, json!(0.5)), (15, 8, json!("Infinity"))]);
    assert_eq!(server.history(&run, "loss").await.len(), 6000);
    let root = info["artifact_uri"].as_str().unwrap();
    let root = root.strip_prefix("mlflow-artifacts:/").unwrap();
    for (path, text) in [
        ("model/weights", "weights"),
        ("images/step_20", "image"),
        ("code/src/a.py", "print()"),
    ] {
        let answer = ask(server.0.port, "GET", &format!("{root}/{path}"), "", b"").await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, text.to_owned()),
            "{path}"
        );
    }
}

fn what_is_wrong_is_named_and_comes_with_the_next_import(backend: Backend) {
    on_runtime(import_wrong(backend));
}

async fn import_wrong(backend: Backend) {
    let database = TestDatabase::new(backend);
    let data = database.dir().join("data");
    let of = |run: &'static str| -> Vec<Row> {
        let row = |row: Row| Row { run, ..row };
        rows().into_iter().map(row).collect()
    };
    // Its first file is renamed last by the exporter.
    write(&data.join("A_part_1.parquet"), &of("A"));
    fs::write(data.join("B_part_0.parquet"), "PAR1 and no more").unwrap();
    write(&data.join("C_part_0.parquet"), &[of("C"), of("D")].concat());
    write(&data.join("E_part_0.parquet"), &of("E"));
    write_files(&database.dir().join("files"));
    fs::remove_file(database.dir().join("files/p/w.bin")).unwrap();
    let arguments = ["neptune", "data", "--files", "files"];
    let first = import(&database, &arguments);
    assert!(!first.status.success(), "{first:?}");
    let places = [
        "data/A: ",
        "B_part_0.parquet: ",
        "C_part_0.parquet: ",
        "files/p/w.bin: ",
    ];
    for (line, place) in first.stderr.lines().zip(places) {
        assert!(line.contains(place), "{first:?}");
    }
    let server = Imported::open(&database);
    let runs = server.runs("team/churn").await;
    let names: Vec<_> = runs
        .iter()
        .map(|it| (&it["info"]["run_name"], &it["info"]["status"]))
        .collect();
    assert_eq!(names, [(&json!("E"), &json!("RUNNING"))]);
    server.0.stop();

    write(&data.join("A_part_0.parquet"), &of("A"));
    write(&data.join("B_part_0.parquet"), &of("B"));
    write(&data.join("C_part_0.parquet"), &of("C"));
    write_files(&database.dir().join("files"));
    let second = import(&database, &arguments);
    assert!(second.status.success(), "{second:?}");
    assert!(second.stdout.contains(" 3 runs with"), "{second:?}");
    let server = Imported::open(&database);
    let runs = server.runs("team/churn").await;
    assert_eq!(runs.len(), 4);
    assert!(
        runs.iter().all(|it| it["info"]["status"] == "FINISHED"),
        "{runs:?}"
    );
}
