//! How cases are registered: every case of a file is in one of the lists at its top. What is in no
//! list is dead code, which the compiler reports.

use super::{Backend, Store, TestGraph};

/// What a case is given.
pub trait Fixture: Sized {
    fn on(backend: Backend) -> impl Future<Output = Self> + Send;
}

/// A server with a database.
impl Fixture for Store {
    async fn on(backend: Backend) -> Self {
        Self::open(backend).await
    }
}

/// A graph without a server.
impl Fixture for TestGraph {
    async fn on(backend: Backend) -> Self {
        Self::open(backend).await
    }
}

/// For a case that opens what it needs.
impl Fixture for Backend {
    async fn on(backend: Backend) -> Self {
        backend
    }
}

/// Runs a case with what it takes.
pub async fn run_on<F, T>(backend: Backend, case: impl FnOnce(F) -> T)
where
    F: Fixture,
    T: Future<Output = ()>,
{
    case(F::on(backend).await).await;
}

/// Registers cases `async fn(impl Fixture)`, each as a test per back end.
macro_rules! on_every_database {
    ($($case:ident),* $(,)?) => {
        on_backend!(sqlite_file, SqliteFile: $($case)*);
        on_backend!(postgres, Postgres: $($case)*);
        on_backend!(mysql, MySql: $($case)*);
    };
}

/// Registers cases that need a database server.
macro_rules! on_every_server {
    ($($case:ident),* $(,)?) => {
        on_backend!(postgres_server, Postgres: $($case)*);
        on_backend!(mysql_server, MySql: $($case)*);
    };
}

/// Registers cases once more, on a store in memory. Its SQL is that of a SQLite file, but one
/// connection is all it has: this is for cases about connections, transactions at the same time,
/// and streams.
macro_rules! in_memory_too {
    ($($case:ident),* $(,)?) => {
        on_backend!(sqlite_memory, SqliteMemory: $($case)*);
    };
}

/// Registers cases for one back end.
macro_rules! on_backend {
    ($module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::{Backend, run_on, timed};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let case = run_on(Backend::$backend, super::$case);
                timed(concat!(module_path!(), "::", stringify!($case)), case).await;
            })*
        }
    };
}

/// Registers cases `fn(Backend)`, which are not asynchronous, each as a test per back end.
macro_rules! blocking_on_every_database {
    ($($case:ident),* $(,)?) => {
        blocking_on_backend!(sqlite_file, SqliteFile: $($case)*);
        blocking_on_backend!(postgres, Postgres: $($case)*);
        blocking_on_backend!(mysql, MySql: $($case)*);
    };
}

macro_rules! blocking_on_backend {
    ($module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::{Backend, timed_blocking};

            $(#[test]
            fn $case() {
                let case = || super::$case(Backend::$backend);
                timed_blocking(concat!(module_path!(), "::", stringify!($case)), case);
            })*
        }
    };
}

/// Registers cases `async fn()`, for which the back end makes no difference.
macro_rules! once {
    ($($case:ident),* $(,)?) => {
        async_cases!(once: $($case)*);
    };
}

/// Registers cases `fn()`, for which the back end makes no difference.
macro_rules! blocking_once {
    ($($case:ident),* $(,)?) => {
        blocking_cases!(blocking_once: $($case)*);
    };
}

/// Registers cases `async fn()` that use PostgreSQL or MySQL or both.
macro_rules! with_servers {
    ($($case:ident),* $(,)?) => {
        async_cases!(with_servers: $($case)*);
    };
}

macro_rules! async_cases {
    ($module:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::timed;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                timed(concat!(module_path!(), "::", stringify!($case)), super::$case()).await;
            })*
        }
    };
}

macro_rules! blocking_cases {
    ($module:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::timed_blocking;

            $(#[test]
            fn $case() {
                timed_blocking(concat!(module_path!(), "::", stringify!($case)), super::$case);
            })*
        }
    };
}
