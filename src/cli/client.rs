//! The connection of a client command to its server, with new attempts when it is lost.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use clap::Args;
use tokio::time::sleep;
use tonic::metadata::{AsciiMetadataValue, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};
use url::Url;

use super::Failure;
use crate::config::parse_duration;
use crate::policy::TENANT_HEADER;
use crate::proto::code_name;
use crate::proto::ml_metadata::metadata_store_service_client::MetadataStoreServiceClient;
use crate::proto::pedigree::audit::v1::audit_service_client::AuditServiceClient;
use crate::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use crate::proto::pedigree::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::pedigree::reproduction::v1::reproduction_service_client::ReproductionServiceClient;
use crate::web_client::is_loopback;

pub(super) type Client = LineageServiceClient<Authorized>;

pub(super) type StoreClient = MetadataStoreServiceClient<Authorized>;

pub(super) type ReproductionClient = ReproductionServiceClient<Authorized>;

pub(super) type AuditClient = AuditServiceClient<Authorized>;

pub(super) type RegistryClient = RegistryServiceClient<Authorized>;

/// A connection whose requests have a token and a tenant, if these are given.
type Authorized = InterceptedService<Channel, CallHeaders>;

/// The delay before the first new attempt to connect; each further one takes twice as long.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The longest delay between two attempts.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Args)]
pub(super) struct ServerArgs {
    /// URL of the server; https needs --ca-cert. Without a scheme it is http, or https with
    /// --ca-cert
    #[arg(
        long = "server",
        value_name = "URL",
        env = "PEDIGREE_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,

    /// Certificate authority of the server, a PEM file
    #[arg(long, value_name = "FILE", env = "PEDIGREE_CA_CERT")]
    ca_cert: Option<PathBuf>,

    /// File of a token to send: an API token or a JWT. It is read for each request. Without https
    /// it goes to this machine only
    #[arg(long, value_name = "FILE", env = "PEDIGREE_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    /// Tenant whose graph is meant; otherwise the server chooses one (docs/security.md)
    #[arg(long, value_name = "NAME", env = "PEDIGREE_TENANT")]
    tenant: Option<AsciiMetadataValue>,

    /// Time for which to try again if the server cannot be reached, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    retry: Duration,
}

impl ServerArgs {
    /// A client that connects at its first request.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let client = Client::new(self.channel()?);
        Ok(client.max_decoding_message_size(usize::MAX))
    }

    /// A client of ML Metadata's service that connects at its first request.
    pub(super) fn store_client(&self) -> Result<StoreClient, Failure> {
        let client = StoreClient::new(self.channel()?);
        Ok(client.max_decoding_message_size(usize::MAX))
    }

    /// A client that plans reproductions and connects at its first request.
    pub(super) fn reproduction_client(&self) -> Result<ReproductionClient, Failure> {
        let client = ReproductionClient::new(self.channel()?);
        Ok(client.max_decoding_message_size(usize::MAX))
    }

    /// A client of the audit that connects at its first request.
    pub(super) fn audit_client(&self) -> Result<AuditClient, Failure> {
        let client = AuditClient::new(self.channel()?);
        Ok(client.max_decoding_message_size(usize::MAX))
    }

    /// A client of the registry that connects at its first request.
    pub(super) fn registry_client(&self) -> Result<RegistryClient, Failure> {
        let client = RegistryClient::new(self.channel()?);
        Ok(client.max_decoding_message_size(usize::MAX))
    }

    fn channel(&self) -> Result<Authorized, Failure> {
        let refused = |problem: String| Failure(format!("cannot use --server: {problem}"));
        let url = self.url().map_err(refused)?;
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(|error| refused(error.to_string()))?
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_while_idle(true);
        match &self.ca_cert {
            Some(path) => {
                let pem = std::fs::read(path)
                    .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
                endpoint = endpoint
                    .tls_config(tls)
                    .map_err(|error| refused(error.to_string()))?;
            }
            None if url.starts_with("https:") => {
                return Err(refused("https needs --ca-cert".to_owned()));
            }
            None => {}
        }
        if self.token_file.is_some() && !is_private(&url) {
            return Err(refused("a token goes over https only".to_owned()));
        }
        let headers = CallHeaders {
            token_file: self.token_file.clone(),
            tenant: self.tenant.clone(),
        };
        Ok(InterceptedService::new(endpoint.connect_lazy(), headers))
    }

    /// The URL with its scheme. The transport would try a URL without a scheme, or with another
    /// one, again and again.
    fn url(&self) -> Result<String, String> {
        let url = match self.url.split_once("://") {
            Some((scheme, _)) if ["http", "https"].contains(&scheme) => self.url.clone(),
            Some((scheme, _)) => {
                return Err(format!("{scheme}:// is neither http:// nor https://"));
            }
            None if self.ca_cert.is_some() => format!("https://{}", self.url),
            None => format!("http://{}", self.url),
        };
        let parsed: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let Some(authority) = parsed.authority().filter(|it| !it.host().is_empty()) else {
            return Err(format!("{url} has no host"));
        };
        if authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err(format!("{url} does not end with a port"));
        }
        Ok(url)
    }

    /// What names the server to programs that this one starts: the variables of these options.
    pub(super) fn variables(&self) -> Result<Vec<(&'static str, OsString)>, Failure> {
        // Programs start elsewhere.
        let path = |path: &PathBuf| std::path::absolute(path).map(PathBuf::into_os_string);
        let files = [
            ("PEDIGREE_CA_CERT", &self.ca_cert),
            ("PEDIGREE_TOKEN_FILE", &self.token_file),
        ];
        let files = files.into_iter();
        let files = files.filter_map(|(name, file)| Some((name, path(file.as_ref()?))));
        let files: Vec<_> = files
            .map(|(name, file)| Ok((name, file?)))
            .collect::<Result<_, Failure>>()?;
        let tenant = self.tenant.as_ref().and_then(|it| it.to_str().ok());
        let tenant = tenant.map(|it| ("PEDIGREE_TENANT", it.into()));
        let server = self.url().map_err(Failure)?;
        let server = ("PEDIGREE_SERVER", server.into());
        Ok([server].into_iter().chain(tenant).chain(files).collect())
    }

    /// The URL as it is given.
    pub(super) fn given_url(&self) -> &str {
        &self.url
    }

    /// How long to try again.
    pub(super) const fn retry(&self) -> Duration {
        self.retry
    }

    pub(super) fn reconnects(&self) -> Reconnects {
        let delays = ExponentialBuilder::default()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .without_max_times()
            .with_total_delay(Some(self.retry));
        Reconnects {
            delays,
            remaining: None,
        }
    }
}

/// Whether what is sent to a URL is encrypted, or stays on this machine.
fn is_private(url: &str) -> bool {
    url.starts_with("https:") || Url::parse(url).is_ok_and(|url| is_loopback(&url))
}

/// Says with each request who calls, and which tenant is meant.
#[derive(Clone, Debug)]
pub(super) struct CallHeaders {
    /// The file of a token, which is sent as it is at the time of a request.
    token_file: Option<PathBuf>,
    tenant: Option<AsciiMetadataValue>,
}

impl Interceptor for CallHeaders {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(path) = &self.token_file {
            let unusable = |problem: &str| {
                Status::invalid_argument(format!("cannot use {}: {problem}", path.display()))
            };
            let token = std::fs::read_to_string(path);
            let token = token.map_err(|error| unusable(&error.to_string()))?;
            let value = MetadataValue::try_from(format!("Bearer {}", token.trim()));
            let mut value = value.map_err(|_| unusable("it is no token"))?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        if let Some(tenant) = &self.tenant {
            request.metadata_mut().insert(TENANT_HEADER, tenant.clone());
        }
        Ok(request)
    }
}

/// The delays between attempts to reach a server.
pub(super) struct Reconnects {
    delays: ExponentialBuilder,
    /// The delays that are left since the connection was lost.
    remaining: Option<ExponentialBackoff>,
}

impl Reconnects {
    /// Starts over after the server answered.
    pub(super) fn reset(&mut self) {
        self.remaining = None;
    }

    /// Waits before another attempt. Fails with `status` if the server refused the request, or if
    /// no time is left.
    pub(super) async fn wait(&mut self, status: Status) -> Result<(), Failure> {
        if !is_loss(&status) {
            return Err(status.into());
        }
        let is_first = self.remaining.is_none();
        let remaining = self.remaining.get_or_insert_with(|| self.delays.build());
        let Some(delay) = remaining.next() else {
            return Err(status.into());
        };
        if is_first {
            eprintln!("{}; trying again", describe(&status));
        }
        sleep(delay).await;
        Ok(())
    }
}

/// Whether the connection failed; otherwise the server refused the request.
fn is_loss(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

/// A status and its causes in one line.
pub(super) fn describe(status: &Status) -> String {
    let mut line = format!("{}: {}", code_name(status.code()), status.message());
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

/// An answer of ML Metadata's service, which is `NOT_FOUND` where there are none.
pub(in crate::cli) fn found<T: Default>(answer: Result<Response<T>, Status>) -> Result<T, Failure> {
    match answer {
        Ok(response) => Ok(response.into_inner()),
        Err(status) if status.code() == Code::NotFound => Ok(T::default()),
        Err(status) => Err(status.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str, ca_cert: Option<&str>) -> Result<String, String> {
        let server = ServerArgs {
            url: url.to_owned(),
            ca_cert: ca_cert.map(Into::into),
            token_file: None,
            tenant: None,
            retry: Duration::ZERO,
        };
        server.url()
    }

    #[test]
    fn a_url_without_a_scheme_gets_one() {
        assert_eq!(
            url("127.0.0.1:8080", None).unwrap(),
            "http://127.0.0.1:8080"
        );
        assert_eq!(url("localhost", None).unwrap(), "http://localhost");
        assert_eq!(url("[::1]:8080", None).unwrap(), "http://[::1]:8080");
        assert_eq!(url("host:443", Some("ca.pem")).unwrap(), "https://host:443");
        assert_eq!(url("https://host", None).unwrap(), "https://host");
    }

    #[test]
    fn what_is_no_address_is_refused_at_once() {
        for (given, problem) in [
            ("ftp://host", "ftp:// is neither http:// nor https://"),
            ("", "http://"),
            ("http://", "http://"),
            ("http://:8080", "http://:8080"),
            ("host:port", "http://host:port"),
            ("two words", "http://two words"),
        ] {
            let refused = url(given, None).unwrap_err();
            assert!(refused.starts_with(problem), "{given}: {refused}");
        }
    }
}
