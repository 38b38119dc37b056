//! The name, version and commit of this build.

/// The name of the program.
pub const NAME: &str = env!("CARGO_PKG_NAME");

/// The version of the program, in the form `MAJOR.MINOR.PATCH`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that the program is built from, as `build.rs` finds it, or `unknown`.
pub const COMMIT: &str = env!("PEDIGREE_COMMIT");
