//! Pictures of generated lineage.

mod diffing;
mod folding;
mod generate;
mod placing;
mod texts;
