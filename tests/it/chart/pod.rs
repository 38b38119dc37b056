//! Pods as processes of this machine: commands, environment and volumes are what the chart renders,
//! resolved as a cluster does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::container::{Image, free_port, give, open_folder};
use crate::python::script;

/// What files of a Secret or a `ConfigMap` may do where nothing is said.
const DEFAULT_MODE: u64 = 0o644;

/// The objects of a namespace, and the volumes that its pods have.
pub struct Cluster {
    objects: Vec<Value>,
    image: Image,
    volumes: TempDir,
}

impl Cluster {
    /// What the chart renders for a mode with these arguments of helm, beside what was there
    /// before.
    pub fn new(mode: &str, arguments: &[String], before: Vec<Value>) -> Self {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let rendered = script("tests/chart/render.py", &[&[mode], &*arguments].concat());
        let mut objects: Vec<Value> = serde_json::from_slice(&rendered.stdout).unwrap();
        objects.extend(before);
        Self {
            objects,
            image: Image::new(),
            volumes: open_folder(),
        }
    }

    /// The only object of a kind, if there is one.
    pub fn one(&self, kind: &str) -> Option<&Value> {
        let mut found = self.objects.iter().filter(|object| object["kind"] == kind);
        let first = found.next();
        assert!(found.next().is_none(), "several objects are of kind {kind}");
        first
    }

    fn named(&self, kind: &str, name: &Value) -> &Value {
        let found = self
            .objects
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == *name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// All that a Secret or a `ConfigMap` holds.
    fn data(&self, kind: &str, name: &Value) -> impl Iterator<Item = (&String, &str)> {
        let object = self.named(kind, name);
        let data = object.get("stringData").unwrap_or(&object["data"]);
        let data = data.as_object().unwrap().iter();
        data.map(|(key, value)| (key, value.as_str().unwrap()))
    }

    fn value(&self, kind: &str, source: &Value) -> String {
        let mut data = self.data(kind, &source["name"]);
        let found = data.find(|(key, _)| source["key"] == **key);
        found.unwrap_or_else(|| panic!("{source}")).1.to_owned()
    }

    /// The command line of the only container of what makes a pod. It serves at free ports of
    /// loopback.
    pub fn command(&self, workload: &Value) -> Command {
        let pod = pod(workload);
        let container = container(pod);
        let port = free_port().to_string();
        let mounts: Vec<(String, PathBuf)> = self.mounts(pod, container);
        let here = |text: String| {
            mounts.iter().fold(text, |text, (path, folder)| {
                text.replace(&format!("{path}/"), &format!("{}/", folder.display()))
            })
        };

        let environment = self.environment(container);
        let words = ["command", "args"].map(|part| texts(&container[part]));
        let mut words = words
            .concat()
            .into_iter()
            .map(|word| here(expanded(&word, &environment)))
            .map(|word| word.replace("--grpc_port=8080", &format!("--grpc_port={port}")));
        let program = words.next().unwrap();
        let program = program.strip_prefix("/bin/").unwrap();
        let mut command = self.image.command(program, &words.collect::<Vec<_>>());
        for (name, value) in environment {
            // The ports of a pod are its own; those of this machine are not.
            let value = match (name.as_str(), value.as_str()) {
                ("PEDIGREE_GRPC_PORT", "8080") => port.clone(),
                ("PEDIGREE_ADMIN_PORT", "8081") => "0".to_owned(),
                ("PEDIGREE_GRPC_HOST" | "PEDIGREE_ADMIN_HOST", "0.0.0.0") => "127.0.0.1".to_owned(),
                _ => here(value),
            };
            command.env(name, value);
        }
        command
    }

    /// The variables of a container.
    pub fn environment(&self, container: &Value) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        for variable in container["env"].as_array().unwrap() {
            let source = &variable["valueFrom"];
            let value = if let Some(value) = variable["value"].as_str() {
                expanded(value, &variables)
            } else if let Some(secret) = source.get("secretKeyRef") {
                self.value("Secret", secret)
            } else {
                self.value("ConfigMap", &source["configMapKeyRef"])
            };
            variables.push((variable["name"].as_str().unwrap().to_owned(), value));
        }
        variables
    }

    /// Where the mounts of a container are here.
    fn mounts(&self, pod: &Value, container: &Value) -> Vec<(String, PathBuf)> {
        let mounts = container["volumeMounts"].as_array().unwrap().iter();
        mounts
            .map(|mount| {
                let mut volumes = pod["volumes"].as_array().unwrap().iter();
                let volume = volumes.find(|volume| volume["name"] == mount["name"]);
                let path = mount["mountPath"].as_str().unwrap().to_owned();
                (path, self.volume(volume.unwrap()))
            })
            .collect()
    }

    /// The folder of a volume, which keeps what pods have written.
    fn volume(&self, volume: &Value) -> PathBuf {
        let folder = self.volumes.path().join(volume["name"].as_str().unwrap());
        if folder.exists() {
            return folder;
        }
        fs::create_dir(&folder).unwrap();
        if let Some(secret) = volume.get("secret") {
            self.write("Secret", &secret["secretName"], secret, &folder);
        } else if let Some(map) = volume.get("configMap") {
            self.write("ConfigMap", &map["name"], map, &folder);
        } else {
            give(&folder);
        }
        folder
    }

    /// Writes all of a Secret or a `ConfigMap` into a folder, or what its volume says.
    fn write(&self, kind: &str, name: &Value, volume: &Value, folder: &Path) {
        let mode = volume["defaultMode"].as_u64().unwrap_or(DEFAULT_MODE);
        let mode = Permissions::from_mode(mode.try_into().unwrap());
        for (key, value) in self.data(kind, name) {
            let file = match volume["items"].as_array() {
                None => key.as_str(),
                Some(items) => match items.iter().find(|item| item["key"] == **key) {
                    Some(item) => item["path"].as_str().unwrap(),
                    None => continue,
                },
            };
            fs::write(folder.join(file), value).unwrap();
            fs::set_permissions(folder.join(file), mode.clone()).unwrap();
        }
    }

    /// The number behind a port of a Service, by the name that the server's pod gives it.
    pub fn target(&self, service: &str, port: u64) -> String {
        let service = self.named("Service", &json!(service));
        let mut ports = service["spec"]["ports"].as_array().unwrap().iter();
        let found = ports.find(|found| found["port"] == port).unwrap();
        found["targetPort"].as_str().unwrap().to_owned()
    }
}

/// The pod that an object is, or makes.
pub fn pod(workload: &Value) -> &Value {
    match workload["kind"].as_str() {
        Some("Pod") => &workload["spec"],
        _ => &workload["spec"]["template"]["spec"],
    }
}

/// Its only container.
pub fn container(pod: &Value) -> &Value {
    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// A Secret that is there before a release.
pub fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let data: Value = data.iter().map(|(key, value)| (*key, *value)).collect();
    json!({"kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

/// A `ConfigMap` that is there before a release.
pub fn config_map(name: &str, data: &[(&str, &str)]) -> Value {
    let data: Value = data.iter().map(|(key, value)| (*key, *value)).collect();
    json!({"kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// A text with the values of variables in the place of `$(NAME)`.
fn expanded(text: &str, variables: &[(String, String)]) -> String {
    variables
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("$({name})"), value)
        })
}
