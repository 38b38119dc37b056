//! The images that the containers of pods ran, by their digests.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;
use url::Url;

use super::web::{ApiAccess, JsonApi};
use crate::cli::Failure;
use crate::cli::output::printable;
use crate::reproduce::{is_image, sha256_hex};

/// The container of a pod that runs the command of a step.
const MAIN_CONTAINER: &str = "main";

/// What Docker puts before the names of images.
const DOCKER_PREFIX: &str = "docker-pullable://";

/// Where the files of a pod's service account are.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[derive(Clone, Debug, Args)]
pub(super) struct KubernetesArgs {
    /// URL of the API of Kubernetes, which has the digests of images; in a pod, that of its cluster
    /// with the token and the authority of its service account, unless others are given
    #[arg(id = "kubernetes_api", long = "kubernetes-api", value_name = "URL")]
    api: Option<Url>,

    /// File of a token to send to the API of Kubernetes, which is read once
    #[arg(
        id = "kubernetes_token_file",
        long = "kubernetes-token-file",
        value_name = "FILE"
    )]
    token_file: Option<PathBuf>,

    /// Certificate authority of the API of Kubernetes, a PEM file; otherwise those of browsers
    #[arg(
        id = "kubernetes_ca_cert",
        long = "kubernetes-ca-cert",
        value_name = "FILE"
    )]
    ca_cert: Option<PathBuf>,
}

/// A pod that ran a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StepPod {
    pub namespace: String,
    pub name: String,
    /// Empty if it is not known.
    pub uid: String,
}

/// Pods, of which one is asked after the other, until they cannot be read.
#[derive(Debug)]
pub(super) struct Pods {
    api: Option<JsonApi>,
    /// Why no further pod is asked for.
    pub failure: Option<Failure>,
}

impl KubernetesArgs {
    /// The pods of the cluster, if there is one.
    pub(super) fn pods(&self, timeout: Duration) -> Result<Pods, Failure> {
        let given = self.api.clone().map(|url| ApiAccess {
            url,
            token_file: self.token_file.clone(),
            ca_file: self.ca_cert.clone(),
            timeout,
        });
        let access = given.or_else(|| self.of_this_pod(timeout));
        let api = access.as_ref().map(JsonApi::open).transpose();
        let refused = |problem: Failure| Failure(format!("the API of Kubernetes: {problem}"));
        Ok(Pods {
            api: api.map_err(refused)?,
            failure: None,
        })
    }

    fn of_this_pod(&self, timeout: Duration) -> Option<ApiAccess> {
        let host = env::var("KUBERNETES_SERVICE_HOST").ok()?;
        let port = env::var("KUBERNETES_SERVICE_PORT").ok()?;
        let file = |given: &Option<PathBuf>, name: &str| {
            let known = Path::new(SERVICE_ACCOUNT).join(name);
            Some(given.clone().unwrap_or(known))
        };
        Some(ApiAccess {
            url: cluster_url(&host, &port)?,
            token_file: file(&self.token_file, "token"),
            ca_file: file(&self.ca_cert, "ca.crt"),
            timeout,
        })
    }
}

/// The API of a cluster by the variables that its pods have.
fn cluster_url(host: &str, port: &str) -> Option<Url> {
    let is_v6 = host.contains(':') && !host.starts_with('[');
    let host = if is_v6 {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    Url::parse(&format!("https://{host}:{port}")).ok()
}

impl Pods {
    /// The image that a pod ran, with its digest.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    pub(super) async fn image(&mut self, pod: &StepPod) -> Result<String, String> {
        let Some(api) = &self.api else {
            return Err("no --kubernetes-api is given".to_owned());
        };
        if self.failure.is_some() {
            return Err("pods cannot be read".to_owned());
        }
        let StepPod {
            namespace,
            name,
            uid,
        } = pod;
        if name.is_empty() || namespace.is_empty() {
            return Err("its pod is not known".to_owned());
        }
        let path = ["api", "v1", "namespaces", namespace, "pods", name];
        let place = printable(&format!("the pod {namespace}/{name}"));
        match api.get(&path).await {
            Ok(Some(found)) => image_of(&found, uid).map_err(|why| format!("{place} {why}")),
            Ok(None) => Err(format!("{place} is gone")),
            Err(failure) => {
                self.failure = Some(failure);
                Err(format!("{place} cannot be read"))
            }
        }
    }
}

/// The image of the main container of a pod.
fn image_of(pod: &Json, uid: &str) -> Result<String, &'static str> {
    let found = pod["metadata"]["uid"].as_str().unwrap_or_default();
    if !uid.is_empty() && !found.is_empty() && uid != found {
        return Err("is another one now");
    }
    let containers = pod["status"]["containerStatuses"].as_array();
    let mut containers = containers.into_iter().flatten();
    let main = containers.find(|container| container["name"] == MAIN_CONTAINER);
    let main = main.ok_or("has no container `main`")?;
    let id = main["imageID"].as_str().unwrap_or_default();
    let image = id.strip_prefix(DOCKER_PREFIX).unwrap_or(id);
    let digest = image.split_once('@').map_or("", |(_, digest)| digest);
    // Of an image that was built on its node there is only the id of its configuration.
    match sha256_hex(digest) {
        Some(_) if is_image(image) => Ok(image.to_owned()),
        _ => Err("has no digest of its image"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_main_container() {
        let hex = "a".repeat(64);
        let name = format!("docker.io/library/python@sha256:{hex}");
        let pod = |id: &str| {
            json!({
                "metadata": { "uid": "7" },
                "status": { "containerStatuses": [
                    { "name": "wait", "imageID": "host/wait@sha256:00" },
                    { "name": "main", "image": "python:3.11", "imageID": id },
                ] },
            })
        };
        for id in [name.clone(), format!("{DOCKER_PREFIX}{name}")] {
            assert_eq!(image_of(&pod(&id), "7"), Ok(name.clone()), "{id}");
            assert_eq!(image_of(&pod(&id), ""), Ok(name.clone()), "{id}");
        }
        for id in [
            format!("sha256:{hex}"),
            "python:3.11".to_owned(),
            format!("python@sha256:{}", &hex[1..]),
            format!("python; rm@sha256:{hex}"),
            String::new(),
        ] {
            image_of(&pod(&id), "7").unwrap_err();
        }
        assert_eq!(image_of(&pod(&name), "8"), Err("is another one now"));
        assert_eq!(image_of(&json!([]), ""), Err("has no container `main`"));
    }

    #[test]
    fn the_api_of_the_cluster_has_a_url() {
        for (host, url) in [
            ("10.0.0.1", "https://10.0.0.1:6443/"),
            ("fd00::1", "https://[fd00::1]:6443/"),
        ] {
            assert_eq!(cluster_url(host, "6443").unwrap().as_str(), url);
        }
        assert!(cluster_url("10.0.0.1", "port").is_none());
    }
}
