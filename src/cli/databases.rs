//! The databases of tenants that a command works on.

use std::io::{stderr, stdout};

use clap::Args;

use super::Failure;
use super::output::report;
use crate::config::Config;
use crate::error::StartError;
use crate::policy::TenantName;
use crate::security::SecuritySettings;
use crate::server;
use crate::storage::connect::Connect;

/// Which databases a command works on; the one of --database-url, if none are named.
#[derive(Debug, Args)]
pub(super) struct TenantArgs {
    /// Use the database of this tenant of the security file (--security)
    #[arg(long, value_name = "NAME", conflicts_with = "all_tenants")]
    tenant: Option<TenantName>,

    /// Use the database of --database-url and those of all tenants of the security file
    #[arg(long)]
    all_tenants: bool,
}

/// A database to work on.
struct Target {
    /// `None` for the default one, where there are no others.
    tenant: Option<TenantName>,
    database: Result<Connect, StartError>,
}

impl TenantArgs {
    /// Does the work of a command for each database, one after the other, under the name of its
    /// tenant. One that fails does not keep the others from it.
    ///
    /// # Errors
    ///
    /// If the security file has no such tenant; that of the database if there is one, or else how
    /// many could not be `worked_on`.
    pub(super) async fn for_each(
        &self,
        config: &Config,
        worked_on: &str,
        work: impl AsyncFn(Option<&TenantName>, &Connect) -> Result<(), StartError>,
    ) -> Result<(), Failure> {
        let targets = self.targets(config)?;
        let count = targets.len();
        let mut failures = Vec::new();
        for Target { tenant, database } in targets {
            if let Some(name) = &tenant {
                report(&mut stdout(), format_args!("tenant: {name}"));
            }
            let done = match database {
                Ok(to) => work(tenant.as_ref(), &to).await,
                Err(error) => Err(error),
            };
            if let Err(failure) = done.map_err(Failure::from) {
                if count > 1 {
                    report(&mut stderr(), format_args!("pedigree: {failure}"));
                }
                failures.push(failure);
            }
        }
        match failures.pop() {
            None => Ok(()),
            Some(failure) if count == 1 => Err(failure),
            Some(_) => {
                let failed = failures.len() + 1;
                let text = format!("{failed} of {count} databases could not be {worked_on}");
                Err(Failure(text))
            }
        }
    }

    /// The default database is the first.
    fn targets(&self, config: &Config) -> Result<Vec<Target>, Failure> {
        let default = |tenant| Target {
            tenant,
            database: Ok(config.database.clone()),
        };
        if self.tenant.is_none() && !self.all_tenants {
            return Ok(vec![default(None)]);
        }
        let path = config.serving.security.as_ref();
        let path =
            path.ok_or_else(|| Failure("tenants are in a security file: --security".into()))?;
        let tenants = SecuritySettings::read_tenants(path)?;
        let is_wanted = |name: &TenantName| self.tenant.as_ref().is_none_or(|it| it == name);
        let named = tenants.all().filter(|(name, _)| is_wanted(name));
        let named = named.map(|(name, rules)| Target {
            tenant: Some(name.clone()),
            database: server::tenant_database(config, name, rules),
        });
        let first = Some(TenantName::default()).filter(is_wanted);
        let targets: Vec<_> = first
            .map(|name| default(Some(name)))
            .into_iter()
            .chain(named)
            .collect();
        if targets.is_empty() {
            return Err(Failure("the security file has no such tenant".into()));
        }
        Ok(targets)
    }
}
