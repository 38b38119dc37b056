use std::sync::mpsc;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::*;

const fn in_memory() -> Opening {
    Opening {
        file: None,
        flags: OpenFlags::SQLITE_OPEN_READ_WRITE,
        pragmas: &[],
        busy: Duration::ZERO,
        timeout: Duration::ZERO,
        statements: 2,
    }
}

/// Its caller goes away while it waits for a thread.
#[test]
fn a_statement_that_was_given_up_before_it_began_does_not_go_on() {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sessions = SqliteSessions::one(in_memory(), Duration::from_mins(1)).await;
        let sessions = sessions.unwrap();
        let session = sessions.begin("BEGIN", None).await.unwrap();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n";
        let (open, gate) = mpsc::channel::<()>();
        let other = spawn_blocking(move || gate.recv());
        let running = session.run(endless.into(), first::<i64>);
        let given_up = timeout(Duration::from_millis(50), running).await;
        assert!(given_up.is_err());
        open.send(()).unwrap();
        other.await.unwrap().unwrap();
        let next = timeout(Duration::from_secs(20), sessions.begin("BEGIN", None)).await;
        next.expect("the statement went on").unwrap();
    });
}

/// SQLite looks at the clock after so many steps of all runs of a statement, so that it may be when
/// this one is done.
#[test]
fn a_transaction_that_has_begun_is_not_stopped() {
    let link = Link::open(&in_memory()).unwrap();
    for _ in 0..STEPS_PER_CHECK {
        link.run(&"BEGIN".into(), changed, Some(Duration::ZERO))
            .unwrap();
        link.run(&"ROLLBACK".into(), changed, None).unwrap();
    }
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n";
    let stopped = link.run(&endless.into(), first::<i64>, Some(Duration::ZERO));
    assert!(is_held_up(&stopped.unwrap_err()));
}

/// `.cargo/config.toml` counts where the build begins in this repository.
#[test]
fn it_is_compiled_as_the_repository_says() {
    let link = Link::open(&in_memory()).unwrap();
    let options = link.run(
        &"PRAGMA compile_options".into(),
        gather::<Vec<String>>,
        None,
    );
    let options = options.unwrap();
    let has = |name: &str| options.iter().any(|option| option == name);
    assert!(has("DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!has("ENABLE_MEMORY_MANAGEMENT") && !has("ENABLE_API_ARMOR"));
}
