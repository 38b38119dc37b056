//! Names of facts that it takes to make an artifact again, where several layers write or read them.

/// The type of artifacts that belong to a run and are no data: locks, differences of code.
pub const BLOB_TYPE: &str = "pedigree.Blob";

/// The fact that has the digest of the list of packages, and the role of that blob.
pub const ENVIRONMENT_LOCK: &str = "environment.lock";

/// The fact that has the version of Python.
pub const ENVIRONMENT_PYTHON: &str = "environment.python";
