//! Databases of several servers: a Galera cluster whose nodes all take writes, and PostgreSQL with
//! a standby.

mod cluster;
mod failover;
mod galera;
mod killed;
mod lagging;
mod pair;
mod standby;
mod writers;
