//! The server that a command talks to, and patience with it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use super::Failure;
use crate::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;

pub(super) type Client = LineageServiceClient<Channel>;

/// The first and the longest pause before another attempt.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Args)]
pub(super) struct Server {
    /// Where the server is; with https, --ca-cert says whom to trust
    #[arg(
        long = "server",
        value_name = "URL",
        env = "PEDIGREE_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,

    /// File with the authority that the server's certificate comes from, in PEM
    #[arg(long, value_name = "FILE", env = "PEDIGREE_CA_CERT")]
    ca_cert: Option<PathBuf>,

    /// Seconds for which a server that is away is tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    retry: u64,
}

impl Server {
    /// A client, which connects when it is used.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let wrong = |problem: String| Failure(format!("cannot use --server: {problem}"));
        let mut endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(|error| wrong(error.to_string()))?
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_while_idle(true);
        match &self.ca_cert {
            Some(path) => {
                let pem = std::fs::read(path)
                    .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
                endpoint = endpoint
                    .tls_config(tls)
                    .map_err(|error| wrong(error.to_string()))?;
            }
            None if self.url.starts_with("https:") => {
                return Err(wrong("https needs --ca-cert".to_owned()));
            }
            None => {}
        }
        let client = Client::new(endpoint.connect_lazy());
        Ok(client.max_decoding_message_size(usize::MAX))
    }

    pub(super) const fn patience(&self) -> Patience {
        Patience {
            whole: Duration::from_secs(self.retry),
            since: None,
            pause: SHORTEST,
        }
    }
}

/// How long a server that is away is tried again.
pub(super) struct Patience {
    whole: Duration,
    /// When it went away.
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    /// Notes that the server is there.
    pub(super) const fn renew(&mut self) {
        self.since = None;
        self.pause = SHORTEST;
    }

    /// Waits before another attempt, unless this is no loss that another attempt could mend, or the patience is at its end.
    pub(super) async fn wait(&mut self, status: Status) -> Result<(), Failure> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if !is_loss(&status) || since.elapsed() + self.pause > self.whole {
            return Err(status.into());
        }
        if self.pause == SHORTEST {
            eprintln!("{}; trying again", said(&status));
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

/// Whether a connection was lost or could not be had, rather than a request refused.
fn is_loss(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

/// The code's name in the protocol's specification.
pub(super) fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

/// A status in a line.
pub(super) fn said(status: &Status) -> String {
    let mut line = format!("{}: {}", name_of(status.code()), status.message());
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        assert_eq!(name_of(Code::Ok), "OK");
        assert_eq!(name_of(Code::InvalidArgument), "INVALID_ARGUMENT");
    }
}
