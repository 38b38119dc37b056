//! A database of its own on a server for one test, and what it holds as text.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use sqlx::{Connection, MySqlConnection, PgConnection};

use crate::error::{Error, Result};
use crate::storage::migrate::tests::downgrade_to;
use crate::storage::migrate::{Migration, Plan, Prepared, plan, prepare};
use crate::storage::{Database, Dialect};

/// Columns, keys and indexes, one a line.
const MYSQL_SCHEMA: &str = r"
    SELECT CONCAT_WS(
        ' ', table_name, ordinal_position, column_name, REGEXP_REPLACE(column_type, '^(int|bigint)[(].*', '\\1'),
        is_nullable, COALESCE(column_default, '-'), extra
    )
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name NOT LIKE 'Pedigree%'
    UNION ALL
    SELECT CONCAT_WS(' ', table_name, index_name, non_unique, seq_in_index, column_name, COALESCE(sub_part, 'whole'))
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name NOT LIKE 'Pedigree%' AND index_name NOT LIKE 'idx_pedigree%'
    UNION ALL
    SELECT CONCAT_WS(' ', table_name, engine)
    FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name NOT LIKE 'Pedigree%'
    ORDER BY 1";
const POSTGRES_SCHEMA: &str = "
    SELECT format(
        '%s %s %s %s %s %s %s', table_name, row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position),
        column_name, data_type, character_maximum_length, is_nullable, column_default
    )
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'pedigree%'
    UNION ALL
    SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'pedigree%'
    UNION ALL
    SELECT indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename NOT LIKE 'pedigree%' AND indexname NOT LIKE 'idx_pedigree%'
    UNION ALL
    SELECT format('%s %s', sequencename, data_type) FROM pg_sequences WHERE schemaname = 'public' AND sequencename NOT LIKE 'pedigree%'
    ORDER BY 1";

/// For each table a query that shows its rows.
const MYSQL_ROWS: &str = "
    SELECT CONCAT(
        'SELECT CONCAT(''', table_name, ': '', CONCAT_WS('', '', ',
        GROUP_CONCAT('QUOTE(', column_name, ')' ORDER BY ordinal_position SEPARATOR ', '), ')) FROM ', table_name
    )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name NOT LIKE 'Pedigree%' AND column_name <> 'pedigree_id' GROUP BY table_name ORDER BY table_name";
const POSTGRES_ROWS: &str = "
    SELECT format('SELECT ''%s: '' || CAST(t AS TEXT) FROM %I AS t', tablename, tablename)
    FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'pedigree%' ORDER BY tablename";

/// The next id of each table. Those of `EventPath` are invisible.
const MYSQL_NEXT: &str = "
    SELECT CONCAT(table_name, ' ', auto_increment) FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name NOT LIKE 'Pedigree%' AND table_name <> 'EventPath' AND auto_increment IS NOT NULL ORDER BY 1";
const POSTGRES_NEXT: &str = "
    SELECT format('%s %s', sequencename, last_value) FROM pg_sequences WHERE schemaname = 'public' AND sequencename NOT LIKE 'pedigree%' ORDER BY 1";

pub(super) struct Store {
    pub database: Database,
    url: String,
    admin: String,
    name: String,
}

/// Compares lines, and shows those that only one side has.
#[track_caller]
pub(super) fn assert_same(ours: &[String], expected: &[String], what: &str) {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let only = these.iter().filter(|line| !those.contains(line));
        only.cloned().collect()
    };
    if ours != expected {
        let (more, less) = (only(ours, expected), only(expected, ours));
        panic!("{what}: ours alone: {more:#?}, missing: {less:#?}, or another order");
    }
}

/// The server of the tests, in its first database.
fn server(dialect: Dialect) -> String {
    let variable = match dialect {
        Dialect::Postgres => "PEDIGREE_TEST_POSTGRES_URL",
        Dialect::MySql => "PEDIGREE_TEST_MYSQL_URL",
        Dialect::Sqlite => panic!("SQLite has no server"),
    };
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: eval \"$(tests/databases start)\""))
}

async fn run(database: &Database, script: &'static str) {
    let mut tx = database.write().await.unwrap();
    tx.script(script).await.unwrap();
    tx.commit().await.unwrap();
}

/// Runs statements that no transaction can hold.
async fn administer(admin: &str, statement: &str) {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    if admin.starts_with("postgres") {
        let mut server = PgConnection::connect(admin).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut server).await.unwrap();
    } else {
        let mut server = MySqlConnection::connect(admin).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut server).await.unwrap();
    }
}

/// Ends the sessions in a database: dropping it would wait for them, but nothing runs any more that
/// would close them.
async fn end_sessions(admin: &str, name: &str) {
    const SESSIONS: &str = "SELECT id FROM information_schema.processlist WHERE db = ?";
    let mut server = MySqlConnection::connect(admin).await.unwrap();
    let sessions: Vec<i64> = sqlx::query_scalar(SESSIONS)
        .bind(name)
        .fetch_all(&mut server)
        .await
        .unwrap();
    for session in sessions {
        let kill = sqlx::AssertSqlSafe(format!("KILL {session}"));
        // It may have ended by itself.
        let _ = sqlx::raw_sql(kill).execute(&mut server).await;
    }
}

impl Store {
    /// A new database with what the script makes.
    pub(super) async fn load(dialect: Dialect, script: &'static str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let moment = UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let name = format!("migrate_{moment}_{number}");
        let admin = server(dialect);
        let options = match dialect {
            Dialect::MySql => " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            _ => "",
        };
        administer(&admin, &format!("CREATE DATABASE {name}{options}")).await;
        let (server, _) = admin.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        let database = Database::open(&url, 1).await.unwrap();
        let store = Self {
            database,
            url,
            admin,
            name,
        };
        if !script.is_empty() {
            store.run(script).await;
        }
        store
    }

    /// The same database, as another process would have it.
    pub(super) async fn open_again(&self) -> Database {
        Database::open(&self.url, 1).await.unwrap()
    }

    pub(super) async fn run(&self, script: &'static str) {
        run(&self.database, script).await;
    }

    pub(super) async fn prepare(&self, options: Migration) -> Result<Prepared> {
        prepare(&self.database, &options).await
    }

    /// Downgrades the schema, which must reach this version.
    pub(super) async fn downgrade(&self, version: i64) {
        let prepared = self.prepare(downgrade_to(version)).await.unwrap();
        assert_eq!(prepared, Prepared::Downgraded { version });
    }

    pub(super) async fn plan(&self, options: Migration) -> Result<Plan> {
        plan(&self.database, &options).await
    }

    /// The files that would run.
    pub(super) async fn files(&self, options: Migration) -> Vec<&'static str> {
        let plan = self.plan(options).await.unwrap();
        plan.scripts.iter().map(|step| step.script.file).collect()
    }

    /// The one text column of a query.
    pub(super) async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut tx = self.database.write().await.unwrap();
        tx.all(tx.sql("test", sql)).await.unwrap()
    }

    fn query(&self, mysql: &'static str, postgres: &'static str) -> &'static str {
        match self.database.dialect() {
            Dialect::MySql => mysql,
            _ => postgres,
        }
    }

    pub(super) async fn schema(&self) -> Vec<String> {
        self.texts(self.query(MYSQL_SCHEMA, POSTGRES_SCHEMA)).await
    }

    pub(super) async fn next_ids(&self) -> Vec<String> {
        self.texts(self.query(MYSQL_NEXT, POSTGRES_NEXT)).await
    }

    /// The rows of each table; the order counts for the steps of events only.
    pub(super) async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for query in self.texts(self.query(MYSQL_ROWS, POSTGRES_ROWS)).await {
            let mut found = self.texts(query.leak()).await;
            if found
                .first()
                .is_some_and(|row| !row.to_lowercase().starts_with("eventpath"))
            {
                found.sort_unstable();
            }
            rows.extend(found);
        }
        rows
    }

    /// Schema, rows and the next ids.
    pub(super) async fn everything(&self) -> Vec<String> {
        let mut lines = self.schema().await;
        lines.extend(self.rows().await);
        lines.extend(self.next_ids().await);
        lines
    }

    /// Prepares, which must fail and change nothing.
    pub(super) async fn refused(&self, options: Migration) -> Error {
        let before = self.everything().await;
        let error = self.prepare(options).await.unwrap_err();
        assert_same(&self.everything().await, &before, "after a refusal");
        error
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let (admin, name, dialect) = (
            self.admin.clone(),
            self.name.clone(),
            self.database.dialect(),
        );
        let work = async move {
            let mut force = " WITH (FORCE)";
            if dialect == Dialect::MySql {
                end_sessions(&admin, &name).await;
                force = "";
            }
            administer(&admin, &format!("DROP DATABASE {name}{force}")).await;
        };
        let dropping = std::thread::spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(work);
        });
        dropping.join().unwrap();
    }
}
