//! Where the server's certificates come from.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// A PEM text, or the file with it.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    File(PathBuf),
    Text(String),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Text(_) => f.write_str("(hidden)"),
        }
    }
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => std::fs::read(path).map_err(|error| {
                Error::invalid(format!("cannot read {}: {error}", path.display()))
            }),
        }
    }
}

/// What a server shows its clients, and asks of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The server's certificate and those between it and its root.
    pub certificate: Pem,
    pub key: Pem,
    /// The roots that a client's certificate must come from. Without them none is asked for.
    pub client_ca: Option<Pem>,
}

/// The texts of [`Certificates`].
#[derive(PartialEq, Eq)]
pub struct Pems {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
    pub client_ca: Option<Vec<u8>>,
}

impl Certificates {
    /// Reads all texts as they are now.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a file that cannot be read.
    pub fn read(&self) -> Result<Pems> {
        Ok(Pems {
            certificate: self.certificate.read()?,
            key: self.key.read()?,
            client_ca: self.client_ca.as_ref().map(Pem::read).transpose()?,
        })
    }
}
