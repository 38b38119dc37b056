//! Pictures of generated lineage.

mod folding;
mod generate;
mod placing;
mod texts;
