//! Defaults of a database server that would change results or guarantees, were they not set anew on
//! each connection.

use super::core_cases;
use crate::binary::Server;
use crate::faults::cluster::Cluster;
use crate::support::Backend;

with_servers!(primary_keys_may_be_demanded);
on_every_server! {
    defaults_of_the_server_change_nothing,
    a_database_is_created_under_such_defaults,
}

/// Settings of the role of the store.
const POSTGRES: [&str; 24] = [
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_deferrable = on",
    "statement_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "idle_session_timeout = '10ms'",
    "standard_conforming_strings = off",
    "backslash_quote = off",
    "bytea_output = 'escape'",
    "datestyle = 'German, DMY'",
    "intervalstyle = 'sql_standard'",
    "timezone = 'Asia/Kathmandu'",
    "client_encoding = 'LATIN1'",
    "extra_float_digits = -15",
    "transform_null_equals = on",
    "array_nulls = off",
    "quote_all_identifiers = on",
    "client_min_messages = 'debug5'",
    "enable_indexscan = off",
    "enable_hashjoin = off",
    "plan_cache_mode = 'force_generic_plan'",
    "row_security = off",
    "work_mem = '64kB'",
];

/// Variables of the server.
const MYSQL: [&str; 26] = [
    "autocommit = 0",
    "completion_type = 'CHAIN'",
    "completion_type = 'RELEASE'",
    "tx_isolation = 'READ-UNCOMMITTED'",
    "tx_isolation = 'SERIALIZABLE'",
    "tx_read_only = 1",
    "sql_mode = ''",
    "sql_mode = 'ANSI'",
    "sql_mode = 'ORACLE'",
    "sql_mode = 'NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE'",
    "sql_mode = 'EMPTY_STRING_IS_NULL,ONLY_FULL_GROUP_BY,NO_UNSIGNED_SUBTRACTION'",
    "sql_select_limit = 1",
    "sql_safe_updates = 1",
    "sql_auto_is_null = 1",
    "max_join_size = 1",
    "time_zone = '+13:00'",
    "wait_timeout = 1",
    "net_write_timeout = 1",
    "lock_wait_timeout = 1",
    "max_statement_time = 0.001",
    "idle_transaction_timeout = 1",
    "div_precision_increment = 0",
    "collation_connection = 'utf8mb4_bin'",
    "character_set_client = 'utf8mb4'",
    "default_storage_engine = 'MyISAM'",
    "init_connect = 'SET autocommit = 0, sql_mode = ''ANSI_QUOTES'', NAMES utf8mb4, sql_select_limit = 0'",
];

fn settings(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &POSTGRES,
        _ => &MYSQL,
    }
}

/// The variable of a setting.
fn name(setting: &str) -> &str {
    setting.split_once(" = ").unwrap().0
}

async fn apply(cluster: &Cluster, setting: &str) {
    let sql = match cluster.backend {
        Backend::Postgres => format!("ALTER ROLE store SET {setting}"),
        _ => format!("SET GLOBAL {setting}"),
    };
    cluster.run_sql(sql).await;
}

async fn reset(cluster: &Cluster, setting: &str) {
    let name = name(setting);
    let sql = match cluster.backend {
        Backend::Postgres => format!("ALTER ROLE store RESET {name}"),
        _ => format!("SET GLOBAL {name} = {}", usual(name)),
    };
    cluster.run_sql(sql).await;
}

/// What a variable of MariaDB is set back to.
fn usual(name: &str) -> &str {
    match name {
        "autocommit" => "1",
        "init_connect" => "''",
        _ => "DEFAULT",
    }
}

async fn defaults_of_the_server_change_nothing(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    Cluster::stop(cluster.serve(&[]));
    for (number, setting) in settings(backend).iter().enumerate() {
        apply(&cluster, setting).await;
        let server = cluster.serve(&["--database-connections", "4"]);
        core_cases(&server, &format!("round {number}")).await;
        let log = server.process.log();
        assert!(!log.contains("ERROR"), "{setting}: {log}");
        Cluster::stop(server);
        reset(&cluster, setting).await;
    }
}

/// The last setting of a variable wins.
async fn a_database_is_created_under_such_defaults(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    for setting in settings(backend) {
        apply(&cluster, setting).await;
    }
    let server: Server = cluster.serve(&[]);
    core_cases(&server, "new").await;
    Cluster::stop(server);
}

/// As servers of a replicated group demand them.
async fn primary_keys_may_be_demanded() {
    let cluster = Cluster::start(Backend::MySql).await;
    cluster
        .run_sql("SET GLOBAL innodb_force_primary_key = ON")
        .await;
    let server = cluster.serve(&[]);
    core_cases(&server, "keys").await;
    Cluster::stop(server);
}
