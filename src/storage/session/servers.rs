//! The servers of an address: one, or a list of which one is used at a time.
//!
//! A new connection is made to the server that was used last, or else to the first one of the list
//! that is as the address demands. When that is another one than before, the database has moved,
//! and the connections to the server before it are of no use.

use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::watch;
use tokio::time::timeout;

use super::ServerDriver;
use crate::error::Result;
use crate::storage::connect::hosts::TargetSession;
use crate::storage::db_error;

/// How long one server of a list has to accept a connection and to say what it is: others may be
/// there.
const SERVER_CONNECT_TIME: Duration = Duration::from_secs(2);

type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

/// How to log in at a host.
pub(in crate::storage) struct HostLogin<DB: ServerDriver> {
    /// Its address, for logs.
    name: String,
    /// The ways that server and network may let through, first to last: libpq's `allow` and
    /// `prefer` are a way with TLS and one without. Sqlx knows only the offer of the server.
    ways: Vec<Options<DB>>,
    /// The way that worked.
    way: OnceLock<Options<DB>>,
}

impl<DB: ServerDriver> HostLogin<DB> {
    /// A login by one of these ways, of which there is at least one.
    pub(in crate::storage) const fn new(name: String, ways: Vec<Options<DB>>) -> Self {
        Self {
            name,
            ways,
            way: OnceLock::new(),
        }
    }

    async fn connect(&self) -> sqlx::Result<DB::Connection> {
        if let Some(way) = self.way.get() {
            return way.connect().await;
        }
        let mut refusal = None;
        for way in &self.ways {
            match way.connect().await {
                Err(error) if depends_on_tls(&error) => {
                    // A refused login says more than a server without TLS.
                    if !matches!(refusal, Some(sqlx::Error::Database(_))) {
                        refusal = Some(error);
                    }
                }
                done => {
                    let is_missing = |error| db_error::is_missing_database(error);
                    if done.as_ref().err().is_none_or(is_missing) {
                        let _ = self.way.set(way.clone());
                    }
                    return done;
                }
            }
        }
        Err(refusal.unwrap_or(sqlx::Error::PoolClosed))
    }
}

/// Whether a login failed for a reason that may not be there with TLS, or without: the handshake
/// itself, or a rule of the server that asks for the other, which PostgreSQL has.
fn depends_on_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ),
        sqlx::Error::Database(refusal) => refusal
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|refusal| refusal.code() == "28000"),
        _ => false,
    }
}

/// Which server is used.
#[derive(Clone, Copy, Debug, Default)]
struct Current {
    place: usize,
    moves: u64,
}

/// A new connection.
pub(in crate::storage) struct Connected<DB: ServerDriver> {
    pub connection: DB::Connection,
    /// How often the database had moved.
    pub moves: u64,
    /// The place of its server in the list.
    place: usize,
}

/// The servers of an address.
pub(in crate::storage) struct Servers<DB: ServerDriver> {
    logins: Vec<HostLogin<DB>>,
    target: TargetSession,
    current: watch::Sender<Current>,
}

impl<DB: ServerDriver> fmt::Debug for Servers<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.logins.iter().map(|login| &login.name);
        f.debug_list().entries(names).finish()
    }
}

impl<DB: ServerDriver> Servers<DB> {
    /// The servers of these logins, of which there is at least one.
    pub(in crate::storage) fn new(logins: Vec<HostLogin<DB>>, target: TargetSession) -> Self {
        Self {
            logins,
            target,
            current: watch::Sender::default(),
        }
    }

    /// The same servers with other options.
    pub(in crate::storage) fn map(&self, other: impl Fn(Options<DB>) -> Options<DB>) -> Self {
        let logins = self.logins.iter().map(|login| {
            let ways = login.ways.iter().cloned().map(&other).collect();
            HostLogin::new(login.name.clone(), ways)
        });
        Self::new(logins.collect(), self.target)
    }

    /// Whether a server is chosen, rather than taken as it is.
    pub(super) const fn is_choosing(&self) -> bool {
        self.logins.len() > 1 || !matches!(self.target, TargetSession::Any)
    }

    /// Whether a server that refuses writes is not the one that is looked for.
    pub(super) const fn is_for_writes(&self) -> bool {
        self.target.writes()
    }

    /// How often the database has moved.
    pub(super) fn moves(&self) -> u64 {
        self.current.borrow().moves
    }

    /// Waits until the database has moved since it had moved so often.
    pub(super) async fn moved_since(&self, moves: u64) {
        let mut current = self.current.subscribe();
        // This has the sender.
        let _ = current.wait_for(|current| current.moves != moves).await;
    }

    /// Logs in and out.
    pub(in crate::storage) async fn greet(&self) -> sqlx::Result<()> {
        let connected = self.connect().await?;
        // That it works is known now.
        let _ = connected.connection.close().await;
        Ok(())
    }

    /// Whether the database of the logins is there.
    ///
    /// # Errors
    ///
    /// What a server answered, or that none is as it must be.
    pub(in crate::storage) async fn has_database(&self) -> Result<bool> {
        match self.greet().await {
            Ok(()) => Ok(true),
            Err(error) if db_error::is_missing_database(&error) => Ok(false),
            Err(error) => Err(db_error::classify(error)),
        }
    }

    /// The options of the connections that are made now.
    pub(in crate::storage) async fn options(&self) -> sqlx::Result<(Options<DB>, u64)> {
        let connected = self.connect().await?;
        let login = &self.logins[connected.place];
        let _ = connected.connection.close().await;
        let way = login.way.get().unwrap_or(&login.ways[0]);
        Ok((way.clone(), connected.moves))
    }

    /// Connects to the server that is to be used.
    ///
    /// # Errors
    ///
    /// What a server answered, or that none is as it must be.
    pub(in crate::storage) async fn connect(&self) -> sqlx::Result<Connected<DB>> {
        if !self.is_choosing() {
            return Ok(Connected {
                connection: self.logins[0].connect().await?,
                moves: 0,
                place: 0,
            });
        }
        let first = self.current.borrow().place;
        let (mut refusal, mut reasons) = (None, Vec::new());
        for target in self.target.passes() {
            for place in (first..self.logins.len()).chain(0..first) {
                let login = &self.logins[place];
                let connecting = timeout(SERVER_CONNECT_TIME, connect_as(login, *target));
                match connecting.await {
                    Ok(Ok(connection)) => return Ok(self.use_from_now_on(connection, place)),
                    Ok(Err(error)) => {
                        reasons.push([&login.name, ": ", &error.to_string()].concat());
                        let is_missing = db_error::is_missing_database(&error);
                        if is_answer(&error) && (refusal.is_none() || is_missing) {
                            refusal = Some(error);
                        }
                    }
                    Err(_) => reasons.push([&login.name, ": no answer"].concat()),
                }
            }
        }
        Err(refusal.unwrap_or_else(|| {
            let reasons = reasons.join("; ");
            unusable(&["no server of the list can be used: ", &reasons].concat())
        }))
    }

    fn use_from_now_on(&self, connection: DB::Connection, place: usize) -> Connected<DB> {
        let mut moves = 0;
        let is_another = self.current.send_if_modified(|current| {
            let is_another = current.place != place;
            if is_another {
                current.place = place;
                current.moves += 1;
            }
            moves = current.moves;
            is_another
        });
        if is_another {
            let server = &self.logins[place].name;
            tracing::info!(server, "the database is at this server of the list now");
        }
        Connected {
            connection,
            moves,
            place,
        }
    }

    /// Whether the server of a connection is still as it must be.
    pub(super) async fn accept(&self, connection: &mut DB::Connection) -> sqlx::Result<bool> {
        Ok(self.target.accepts(DB::role(connection).await?))
    }
}

/// Connects to a server that must be as the target says.
async fn connect_as<DB: ServerDriver>(
    login: &HostLogin<DB>,
    target: TargetSession,
) -> sqlx::Result<DB::Connection> {
    let mut connection = login.connect().await?;
    if target == TargetSession::Any || target.accepts(DB::role(&mut connection).await?) {
        return Ok(connection);
    }
    let _ = connection.close().await;
    Err(unusable(target.objection()))
}

/// Whether a server refused for a reason of its own, rather than being away.
fn is_answer(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_)) && !db_error::is_connection_lost(error)
}

fn unusable(reason: &str) -> sqlx::Error {
    io::Error::new(io::ErrorKind::NotConnected, reason).into()
}
