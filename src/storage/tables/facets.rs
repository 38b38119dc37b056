//! The table `PedigreeFacet`: facets as they were sent, by the SHA-256 of their texts.
//!
//! A text is stored once, whichever nodes have it, and stays. A long one has several parts, so that
//! no statement is larger than a server takes.

use std::collections::{BTreeMap, HashSet};

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{
    Bytes as BytesColumn, Int as IntColumn, Text as TextColumn,
};
use crate::storage::bulk::{Rows, Table};

static FACET: Table = Table {
    name: "PedigreeFacet",
    columns: &[
        ("digest", TextColumn),
        ("part_number", IntColumn),
        ("content", BytesColumn),
    ],
    unwritten: &[],
    key: 2,
};

/// The most bytes of a part.
const MAX_PART_BYTES: usize = 1 << 20;

/// Stores texts by their digests, unless they are stored already.
///
/// # Errors
///
/// Those of the database.
pub async fn put(tx: &mut Tx, texts: &BTreeMap<&str, &str>) -> Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    let digests: Vec<&str> = texts.keys().copied().collect();
    let mut query = tx.sql(
        "facets::known",
        "SELECT digest FROM PedigreeFacet WHERE part_number = 0 AND digest",
    );
    query.push_in_texts(&digests);
    let known: Vec<String> = tx.all(query).await?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let new = texts.iter().filter(|(digest, _)| !known.contains(**digest));
    let mut rows = Rows::new(&FACET);
    for (digest, text) in new {
        for (number, part) in (0_i64..).zip(text.as_bytes().chunks(MAX_PART_BYTES)) {
            rows.push([(*digest).into(), number.into(), part.into()]);
        }
    }
    // Another transaction may put the same text at the same time.
    tx.upsert_rows(&rows).await
}

/// The sizes of the parts of stored texts, in bytes, with their digests.
///
/// # Errors
///
/// Those of the database.
pub async fn part_sizes(tx: &mut Tx, digests: &[&str]) -> Result<Vec<(String, i64)>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "facets::part_sizes",
        "SELECT digest, LENGTH(content) FROM PedigreeFacet WHERE digest",
    );
    query.push_in_texts(digests);
    tx.all(query).await
}

/// The parts of stored texts, each with its digest; those of one text in their order.
///
/// # Errors
///
/// Those of the database.
pub async fn parts(tx: &mut Tx, digests: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "facets::parts",
        "SELECT digest, content FROM PedigreeFacet WHERE digest",
    );
    query.push_in_texts(digests);
    query.push(" ORDER BY digest, part_number");
    tx.all(query).await
}
