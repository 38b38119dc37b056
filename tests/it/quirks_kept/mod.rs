//! Oddities of the original server that clients or data depend on, each by its number.

mod reads;
mod writes;
