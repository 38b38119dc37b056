//! Databases of several servers: a Galera cluster whose nodes all take writes.

mod cluster;
mod galera;
mod killed;
