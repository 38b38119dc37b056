//! Session settings: what each connection sets when it is opened, so that the defaults of a server,
//! a role or a database change neither results nor guarantees.
//!
//! A setting that says what may be done at all stays the operator's:
//! `default_transaction_read_only` on PostgreSQL, `read_only` on MySQL, `search_path`, `role`.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, MySqlConnection, PgConnection, Row};

/// What the connections of a pool are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Purpose {
    Read,
    Write,
}

/// What differs between the sessions of pools.
#[derive(Clone, Debug)]
pub(in crate::storage) struct SessionSettings {
    pub purpose: Purpose,
    /// How long a statement that only reads may take; zero for no limit.
    pub statement_timeout: Duration,
    /// Names and values that the address of a PostgreSQL database gives.
    pub options: Vec<(String, String)>,
}

impl SessionSettings {
    /// How long a statement may take; zero for no limit. Writes have their limits by locks.
    pub(in crate::storage) const fn limit(&self) -> Duration {
        match self.purpose {
            Purpose::Read => self.statement_timeout,
            Purpose::Write => Duration::ZERO,
        }
    }
}

/// The settings of PostgreSQL. A server sets those that its version has.
///
/// Limits of waiting: transactions of this server hold a lock for milliseconds. A wait of seconds
/// is for a lock of another program, and blocks the requests behind it. A transaction of a server
/// that stands still, as when its machine is suspended, is ended.
///
/// Encoding, time zone and date style are parameters of the start, which sqlx sends.
const POSTGRES: &str = "
    SET statement_timeout = 0;
    SELECT pg_catalog.set_config(pinned.name, pinned.value, false)
    FROM (VALUES
        ('lock_timeout', '5s'),
        ('idle_in_transaction_session_timeout', '60s'),
        ('idle_session_timeout', '0'),
        ('transaction_timeout', '0'),
        ('default_transaction_isolation', 'read committed'),
        ('default_transaction_deferrable', 'off'),
        ('standard_conforming_strings', 'on'),
        ('backslash_quote', 'safe_encoding'),
        ('transform_null_equals', 'off'),
        ('array_nulls', 'on'),
        ('bytea_output', 'hex'),
        ('extra_float_digits', '3'),
        ('intervalstyle', 'postgres'),
        ('quote_all_identifiers', 'off'),
        ('client_min_messages', 'warning'),
        ('row_security', 'on'),
        ('statement_timeout', '";

const POSTGRES_END: &str = "')
    ) AS pinned (name, value)
    JOIN pg_catalog.pg_settings AS known
        ON pg_catalog.lower(known.name) = pinned.name AND known.context = 'user'";

/// A statement whose client is gone ends, rather than run on for hours. Servers on some systems,
/// and those before version 14, do not have it.
const CLIENT_CHECK: &str = "SET client_connection_check_interval = '1s'";

/// The settings that the address gives, in their order: names, values.
const POSTGRES_OPTIONS: &str = "
    SELECT pg_catalog.set_config(given.name, given.value, false)
    FROM pg_catalog.unnest($1::text[], $2::text[]) AS given (name, value)";

/// Sets a session of PostgreSQL up.
pub(in crate::storage) async fn set_up_postgres(
    connection: &mut PgConnection,
    settings: &SessionSettings,
) -> sqlx::Result<usize> {
    let milliseconds = settings.limit().as_millis().to_string();
    let pinned = [POSTGRES, &milliseconds, POSTGRES_END].concat();
    connection.execute(AssertSqlSafe(pinned)).await?;
    // A refusal means that there is no such check.
    let _ = connection.execute(CLIENT_CHECK).await;
    if !settings.options.is_empty() {
        let (names, values): (Vec<_>, Vec<_>) = settings.options.iter().cloned().unzip();
        let given = sqlx::query(POSTGRES_OPTIONS).bind(names).bind(values);
        given.persistent(false).execute(connection).await?;
    }
    Ok(usize::MAX)
}

/// What a packet has beside the text and the values of a statement, at most.
const MYSQL_PACKET_OVERHEAD_BYTES: usize = 1024;

/// The settings of MySQL and MariaDB, which both know unless a comment says otherwise. The modes
/// are those that both have by default: texts and numbers that a column cannot hold are refused,
/// never cut. `NAMES` comes from sqlx.
const MYSQL: &str = "
    SET SESSION innodb_lock_wait_timeout = 5, lock_wait_timeout = 5,
        wait_timeout = 28800, net_read_timeout = 30, net_write_timeout = 60,
        sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
        completion_type = 0, time_zone = '+00:00',
        sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_safe_updates = 0,
        sql_auto_is_null = 0, unique_checks = 1, foreign_key_checks = 1,
        div_precision_increment = 4, max_sort_length = 1024, max_error_count = 64
        /*M!100302 , idle_transaction_timeout = 60, idle_write_transaction_timeout = 0,
            idle_readonly_transaction_timeout = 0 */
        /*M!100103 , max_statement_time = ";

/// MariaDB counts in seconds, MySQL in milliseconds.
const MYSQL_MILLISECONDS: &str = " */ /*!50708 , max_execution_time = ";

/// A read sees one state of the database.
const MYSQL_READS: &str = " */, autocommit = 1;
    SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE";

/// A write sees what others committed while it waited for their locks. A transaction begins with
/// the first statement after the last one's end, without a statement of its own.
const MYSQL_WRITES: &str = " */, autocommit = 0;
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE";

/// On a Galera cluster, reads and writes see what was committed at any node before: a statement
/// waits until its node has applied that. Servers without Galera do not wait, or do not have it.
const CAUSAL_READS: &str = "SET SESSION wsrep_sync_wait = 7";

/// Sets a session of MySQL up. The server closes a connection that sends a packet far beyond its
/// limit, with or without a reason.
pub(in crate::storage) async fn set_up_mysql(
    connection: &mut MySqlConnection,
    settings: &SessionSettings,
) -> sqlx::Result<usize> {
    let limit = settings.limit();
    let seconds = limit.as_secs_f64().to_string();
    let milliseconds = limit.as_millis().to_string();
    let end = match settings.purpose {
        Purpose::Read => MYSQL_READS,
        Purpose::Write => MYSQL_WRITES,
    };
    let pinned = [MYSQL, &seconds, MYSQL_MILLISECONDS, &milliseconds, end].concat();
    connection.execute(AssertSqlSafe(pinned)).await?;
    // A refusal means that there is no cluster.
    let _ = connection.execute(CAUSAL_READS).await;
    // A Galera node without a quorum answers SHOW, so that a statement can ask it what it lacks.
    let packet = sqlx::raw_sql("SHOW SESSION VARIABLES LIKE 'max_allowed_packet'");
    let packet = packet.fetch_one(connection).await?;
    let bytes: &[u8] = packet.try_get_unchecked(1)?;
    let bytes = str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok());
    let bytes: usize = bytes.unwrap_or(usize::MAX);
    Ok(bytes.saturating_sub(MYSQL_PACKET_OVERHEAD_BYTES))
}
