//! The certificates of the server, as files or as text.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::StartError;

/// What a file allows everybody, among the bits of its mode.
const MODE_OTHERS: u32 = 0o007;

/// PEM, in a file or as text.
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
    fn read(&self) -> Result<Vec<u8>, StartError> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => std::fs::read(path).map_err(|error| {
                StartError::Certificates(format!("cannot read {}: {error}", path.display()))
            }),
        }
    }
}

/// The certificates of a server and what it requires of its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The certificate chain of the server.
    pub certificate: Pem,
    pub key: Pem,
    /// The certificate authorities of the clients. Without them, clients need no certificate.
    pub client_ca: Option<Pem>,
    /// What these authorities have revoked. Without it, no certificate is taken as revoked.
    pub client_crl: Option<Pem>,
}

/// The contents of [`Certificates`].
#[derive(PartialEq, Eq)]
pub struct Pems {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
    pub client_ca: Option<Vec<u8>>,
    pub client_crl: Option<Vec<u8>>,
}

impl Certificates {
    /// The file of the key, if everybody on the host may read it.
    #[must_use]
    pub fn exposed_key_file(&self) -> Option<&Path> {
        let Pem::File(path) = &self.key else {
            return None;
        };
        let mode = std::fs::metadata(path).ok()?.permissions().mode();
        (mode & MODE_OTHERS != 0).then_some(path)
    }

    /// Reads all contents as they are now.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn read(&self) -> Result<Pems, StartError> {
        Ok(Pems {
            certificate: self.certificate.read()?,
            key: self.key.read()?,
            client_ca: self.client_ca.as_ref().map(Pem::read).transpose()?,
            client_crl: self.client_crl.as_ref().map(Pem::read).transpose()?,
        })
    }
}
