//! The effective configuration as text, for `--print-config`.

use toml::Value;
use url::Url;

use super::Config;
use super::options::OPTIONS;
use super::sources::GivenOptions;
use super::spec::OptionSpec;
use super::tls::Pem;

/// The lines of a configuration file with these options. Options without a value and secrets have
/// no line.
pub(super) fn print(given: &GivenOptions, config: &Config) -> String {
    let lines = OPTIONS.iter().filter_map(|option| {
        let text = shown(option, given, config)?;
        Some(format!("{} = {}\n", option.name, value(&text)))
    });
    lines.collect()
}

/// The text of an option as it may be shown.
fn shown(option: &OptionSpec, given: &GivenOptions, config: &Config) -> Option<String> {
    let tls = config.serving.tls.as_ref();
    match option.name {
        // Without login and parameters.
        "database_url" => Some(config.database.address.to_string()),
        "database_read_url" => config.standby.as_ref().map(|to| to.address.to_string()),
        "otlp_endpoint" => {
            let url = Url::parse(config.otlp_endpoint.as_deref()?).ok()?;
            Some(url.origin().ascii_serialization())
        }
        // ML Metadata's file contains the texts themselves.
        "tls_cert" => tls.map(|tls| pem(&tls.certificate)),
        "tls_key" => tls.map(|tls| pem(&tls.key)),
        "tls_client_ca" => tls.and_then(|tls| tls.client_ca.as_ref()).map(pem),
        _ if option.is_secret => None,
        _ => given.text(option).map(str::to_owned),
    }
}

fn pem(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Text(_) => "(hidden)".to_owned(),
    }
}

/// A number, a truth value or otherwise a string, which the file can all have for any option.
fn value(text: &str) -> Value {
    let number = text.parse().map(Value::Integer).ok();
    let number = number.or_else(|| text.parse().map(Value::Float).ok());
    let bare = number.or_else(|| text.parse().map(Value::Boolean).ok());
    let same = bare.filter(|value| value.to_string() == text);
    same.unwrap_or_else(|| Value::String(text.to_owned()))
}
