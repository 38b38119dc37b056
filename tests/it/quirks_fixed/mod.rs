//! Defects of the original server that we mend, each by its number.

mod reads;
mod writes;
