//! A SQLite file for one test, and what it holds as text.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

use crate::error::Result;
use crate::storage::Database;
use crate::storage::migrate::tests::downgrade_to;
use crate::storage::migrate::{Migration, Prepared, prepare};

/// Columns, keys and indexes of the tables that are ML Metadata's, one a line. The text of a
/// statement counts only for what no pragma returns: AUTOINCREMENT, and the condition of a
/// partial index.
const SCHEMA: &str = "
    SELECT format('%s AUTOINCREMENT %d', name, sql LIKE '%AUTOINCREMENT%')
    FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'Pedigree%'
    UNION ALL
    SELECT format(
        '%s %d %s %s, not null %d, default %s, key %d',
        t.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk
    )
    FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'Pedigree%'
    UNION ALL
    SELECT format(
        '%s %s, unique %d, origin %s, partial %d: %d %d %s %d %s %d',
        t.name, i.name, i.\"unique\", i.origin, i.partial, c.seqno, c.cid, c.name, c.\"desc\", c.coll, c.key
    )
    FROM sqlite_master AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_xinfo(i.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'Pedigree%' AND i.name NOT LIKE 'idx_pedigree%'
    UNION ALL
    SELECT format('%s %s', name, replace(substr(sql, instr(sql, 'WHERE')), '`', ''))
    FROM sqlite_master
    WHERE type = 'index' AND instr(sql, 'WHERE') > 0 AND name NOT LIKE 'idx_pedigree%'
    ORDER BY 1";

/// For each table a query that shows its rows as text, in the order they have in the file.
const ROW_QUERIES: &str = "
    SELECT format(
        'SELECT ''%s: '' || %s FROM \"%s\" ORDER BY rowid',
        t.name, group_concat('quote(\"' || c.name || '\")', ' || '','' || ' ORDER BY c.cid), t.name
    )
    FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name <> 'sqlite_sequence' AND t.name NOT LIKE 'Pedigree%'
    GROUP BY t.name";

const FILE: &str = "store.db";

pub(super) struct Store {
    database: Database,
    folder: TempDir,
}

async fn open(folder: &TempDir) -> Database {
    let url = format!("sqlite:{}", folder.path().join(FILE).display());
    Database::open(&url, 1).await.unwrap()
}

impl Store {
    /// A new file with what the script makes.
    pub(super) async fn load(script: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder).await;
        let store = Self { database, folder };
        store.run(script).await;
        store
    }

    /// The same file, as another process would have it.
    pub(super) async fn open_again(&self) -> Database {
        open(&self.folder).await
    }

    pub(super) async fn run(&self, script: &'static str) {
        let mut tx = self.database.write().await.unwrap();
        tx.script(script).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) async fn prepare(&self, options: Migration) -> Result<Prepared> {
        prepare(&self.database, &options).await
    }

    /// Downgrades the schema, which must reach this version.
    pub(super) async fn downgrade(&self, version: i64) {
        let prepared = self.prepare(downgrade_to(version)).await.unwrap();
        assert_eq!(prepared, Prepared::Downgraded { version });
    }

    /// The one text column of a query.
    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join(FILE));
        let mut connection = file.connect().await.unwrap();
        let texts = sqlx::query_scalar(AssertSqlSafe(sql));
        texts.fetch_all(&mut connection).await.unwrap()
    }

    pub(super) async fn schema(&self) -> Vec<String> {
        self.texts(SCHEMA).await
    }

    pub(super) async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for query in self.texts(ROW_QUERIES).await {
            rows.extend(self.texts(&query).await);
        }
        rows
    }

    /// Schema, rows and the highest ids given.
    pub(super) async fn everything(&self) -> [Vec<String>; 3] {
        let given = "SELECT name || ' ' || seq FROM sqlite_sequence WHERE name NOT LIKE 'Pedigree%' ORDER BY name";
        let given = match self
            .texts("SELECT name FROM sqlite_master WHERE name = 'sqlite_sequence'")
            .await
        {
            tables if tables.is_empty() => tables,
            _ => self.texts(given).await,
        };
        [self.schema().await, self.rows().await, given]
    }
}
