//! The `ml-metadata` library, which can name a tenant by the host that it dials only.

use tempfile::TempDir;

use crate::binary::Server;
use crate::python::python;
use crate::security::write_policy;
use crate::support::{Backend, TestDatabase};

blocking_on_every_database! {
    clients_of_the_wheel_reach_tenants_by_host_name,
}

/// The test file of the library fails on a store that it has run on before.
fn clients_of_the_wheel_reach_tenants_by_host_name(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let hosts = ["127.0.0.1", "localhost"];
    let databases = [(); 2].map(|()| TestDatabase::new(backend));
    let tenants = databases.iter().zip(["one", "two"]).zip(hosts);
    let tenants = tenants.map(|((database, name), host)| {
        let url = &database.url;
        format!("[tenant.{name}]\ndatabase_url = \"{url}\"\nhosts = [\"{host}\"]\n")
    });
    let tenants: String = tenants.collect();
    let anyone = "allow_anonymous = true\n\
                  [[grant]]\nsubjects = [\"anonymous\"]\nrole = \"admin\"\ntenant = \"*\"\n";
    let file = write_policy(folder.path(), &[anyone, &tenants]);
    let default = TestDatabase::new(backend);
    let server = Server::on(&default, &["--security", file.to_str().unwrap()]);
    let port = server.port.to_string();
    for host in hosts {
        python(
            "upstream_tests.py",
            &["--port", &port, "--host", host, "--every", "4"],
        );
    }
    server.stop();
}
