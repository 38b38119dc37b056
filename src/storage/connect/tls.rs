//! The client certificate and the trusted authorities of TLS connections to a database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pkcs8::der::pem::LineEnding;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use secrecy::{ExposeSecret, SecretString};

use crate::certificates::Authorities;
use crate::error::{Error, Result};

/// The label of a private key that a passphrase protects, in PEM.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A client certificate, with which the client logs in or backs its password.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Path of the certificate chain, in PEM.
    pub cert: PathBuf,
    /// Path of the private key, in PEM.
    pub key: PathBuf,
    /// The passphrase of the key.
    pub key_password: Option<SecretString>,
}

impl Identity {
    /// An identity of parts that may be missing: certificate and key make one, and neither alone.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when one of them is given without the other.
    pub fn of(
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
        key_password: Option<SecretString>,
    ) -> Result<Option<Self>> {
        match (cert, key) {
            (Some(cert), Some(key)) => Ok(Some(Self {
                cert,
                key,
                key_password,
            })),
            (None, None) => Ok(None),
            _ => Err(Error::invalid(
                "a client certificate and its key must be given together",
            )),
        }
    }

    /// The private key in PEM, without passphrase.
    pub(super) fn key_pem(&self) -> Result<Vec<u8>> {
        let unusable = |problem: &str| {
            let path = self.key.display();
            Error::invalid(format!("cannot use the private key {path}: {problem}"))
        };
        let pem = fs::read_to_string(&self.key).map_err(|error| unusable(&error.to_string()))?;
        if !pem.contains("ENCRYPTED") {
            return Ok(pem.into_bytes());
        }
        let password = self.key_password.as_ref();
        let password = password.ok_or_else(|| unusable("it needs a passphrase"))?;
        let Ok((ENCRYPTED, key)) = SecretDocument::from_pem(&pem) else {
            return Err(unusable("it is encrypted in a form other than PKCS #8"));
        };
        let key = EncryptedPrivateKeyInfoRef::try_from(key.as_bytes())
            .map_err(|_| unusable("it is no PKCS #8"))?
            .decrypt(password.expose_secret())
            .map_err(|_| unusable("the passphrase is wrong, or the cipher is not known"))?;
        let key = key.to_pem("PRIVATE KEY", LineEnding::LF);
        let key = key.map_err(|_| unusable("it cannot be written in PEM"))?;
        Ok(key.as_bytes().to_vec())
    }
}

/// The authorities in files, and in all files of folders, one after the other in PEM. Those that
/// cannot be used are left out.
///
/// # Errors
///
/// `InvalidArgument` for a file or a folder that cannot be read or has no usable one.
pub(super) fn authorities(paths: &[PathBuf]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in paths {
        let refused = |problem: &str| Error::invalid(format!("{problem} {}", path.display()));
        let pem = contents(path)
            .map_err(|error| Error::invalid(format!("cannot read {}: {error}", path.display())))?;
        let found = Authorities::of(&pem);
        match (found.usable.len(), found.unusable) {
            (0, 0) => return Err(refused("there is no certificate in")),
            (0, _) => return Err(refused("there is no usable certificate in")),
            _ => found.log(&path.display().to_string()),
        }
        all.extend(found.usable.concat().into_bytes());
    }
    Ok(all)
}

/// OpenSSL's folders hold links named by hashes, revocation lists, and whatever else.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        files = entries.collect::<io::Result<_>>()?;
        files.retain(|file| file.is_file());
        files.sort();
    }
    let mut all = Vec::new();
    for file in files {
        all.extend(fs::read(file)?);
        all.push(b'\n');
    }
    Ok(all)
}
