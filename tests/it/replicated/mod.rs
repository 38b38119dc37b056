//! Databases of several servers: a Galera cluster whose nodes all take writes, and PostgreSQL with
//! a standby.

mod cluster;
mod contention;
mod failover;
mod galera;
mod killed;
mod lagging;
mod logical;
mod pair;
mod standby;
mod wheel;
mod writers;
