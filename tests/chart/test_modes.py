"""What each mode renders."""

import json
import re
import shutil

import pytest
import yaml
from helm import CHART, KUBERNETES, MODES, container, documents, helm, mode, one, pod_spec

# What Kubeflow Pipelines 2.18 passes to its server, in its order.
KUBEFLOW_MYSQL = [
    "--grpc_port=8080",
    "--mysql_config_database=$(MYSQL_DATABASE)",
    "--mysql_config_host=$(MYSQL_HOST)",
    "--mysql_config_port=$(MYSQL_PORT)",
    "--mysql_config_user=$(DBCONFIG_USER)",
    "--mysql_config_password=$(DBCONFIG_PASSWORD)",
    "--enable_database_upgrade=true",
    "--grpc_channel_arguments=grpc.max_metadata_size=16384,"
    "grpc.max_receive_message_length=104857600,grpc.max_send_message_length=104857600",
]

# What its PostgreSQL overlay passes, whose ConfigMap has no host: that is the name of its Service.
# It says nothing about the channel, where upstream's limit of 4 MiB would do for no larger
# pipeline, so the chart says the same in both modes.
KUBEFLOW_POSTGRES = [
    "--grpc_port=8080",
    "--metadata_source_config_type=postgresql",
    "--postgres_config_host=metadata-postgres-db",
    "--postgres_config_port=$(POSTGRES_PORT)",
    "--postgres_config_dbname=$(POSTGRES_DBNAME)",
    "--postgres_config_user=$(POSTGRES_USER)",
    "--postgres_config_password=$(POSTGRES_PASSWORD)",
    "--enable_database_upgrade=true",
]


@pytest.mark.parametrize("name", MODES)
def test_lint_is_clean(name):
    done = helm("lint", "--strict", CHART, "--values", CHART / f"ci/{name}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout, done.stdout


@pytest.mark.parametrize("name", MODES)
def test_every_reference_finds_its_object(name):
    manifests = mode(name)
    deployment = one(manifests, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    services = [m for m in manifests if m["kind"] == "Service"]
    ports = {port["name"]: port["containerPort"] for port in container(deployment)["ports"]}
    for service in services:
        assert service["spec"]["selector"].items() <= labels.items()
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    known = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    assert len(known) == len(manifests), "two objects have one name"
    account = pod_spec(deployment)["serviceAccountName"]
    assert ("ServiceAccount", account) in known
    for backend in re.findall(r'"?name"?: "?([\w-]+)"?,? "?port', json.dumps([m for m in manifests if "Route" in m["kind"]])):
        assert ("Service", backend) in known
    # Nobody but the servers is selected.
    for other in (m for m in manifests if m["kind"] in ("Job", "Pod")):
        theirs = other["metadata"]["labels"] if other["kind"] == "Pod" else other["spec"]["template"]["metadata"]["labels"]
        assert not deployment["spec"]["selector"]["matchLabels"].items() <= theirs.items()


@pytest.mark.parametrize("name", MODES)
def test_liveness_and_start_do_not_ask_for_the_database(name):
    server = container(one(mode(name), "Deployment"))
    for probe in ("livenessProbe", "startupProbe"):
        assert server[probe]["httpGet"] == {"path": "/livez", "port": "admin"}


def test_kubelets_ask_by_grpc_where_they_can():
    plain = container(one(mode("mysql"), "Deployment"))["readinessProbe"]
    assert plain["grpc"] == {"port": 8080}
    tls = container(one(mode("postgres"), "Deployment"))["readinessProbe"]
    assert tls["httpGet"] == {"path": "/readyz", "port": "admin"}


def test_sqlite_has_one_server_on_its_volume():
    manifests = documents()
    deployment = one(manifests, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    claim = one(manifests, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    volumes = {volume["name"]: volume for volume in pod_spec(deployment)["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert not [m for m in manifests if m["kind"] in ("Job", "PodDisruptionBudget", "Secret")]
    elsewhere = documents("--set", "database.sqlite.existingClaim=mine")
    assert not [m for m in elsewhere if m["kind"] == "PersistentVolumeClaim"]


def test_the_database_is_named_with_its_options():
    def url(name, *arguments):
        env = {entry["name"]: entry.get("value") for entry in container(one(mode(name, *arguments), "Deployment"))["env"]}
        return env["PEDIGREE_DATABASE_URL"]

    tls = "/etc/pedigree/database-tls"
    assert url("sqlite") == "sqlite:/data/pedigree.db"
    assert url("postgres") == (
        f"postgres://db.example.com:5432/lineage?sslmode=verify-full&sslrootcert={tls}/ca.crt&sslcert={tls}/tls.crt&sslkey={tls}/tls.key"
    )
    assert url("mysql") == "mysql://db.example.com:3307/metadb?ssl-mode=PREFERRED"
    for host, name, place in [
        ("2001:db8::7", "a%41b", "[2001:db8::7]:5432/a%2541b"),
        ("[2001:db8::7]", "a b+c", "[2001:db8::7]:5432/a%20b%2Bc"),
        ("10.0.0.1", "métä", "10.0.0.1:5432/m%C3%A9t%C3%A4"),
    ]:
        more = ["--set-string", f"database.host={host},database.name={name}"]
        assert url("postgres", *more).split("?")[0] == f"postgres://{place}"
    more = ["--set", "database.url=mysql://db/m?charset=utf8mb4,database.tls.mode=verify-full"]
    assert url("mysql", *more) == "mysql://db/m?charset=utf8mb4&ssl-mode=VERIFY_IDENTITY"


# What the program does about streams where nothing is said.
STREAMS = {
    "PEDIGREE_CHANGE_RETENTION": "7d",
    "PEDIGREE_DEDUP_WINDOW": "7d",
    "PEDIGREE_RECORD_BATCH": "256",
    "PEDIGREE_RECORD_BATCH_LINGER": "2ms",
    "PEDIGREE_SLOW_READER_TIMEOUT": "30s",
}


@pytest.mark.parametrize("name", MODES)
def test_the_server_is_told_of_streams(name):
    def told(*arguments):
        env = {entry["name"]: entry.get("value") for entry in container(one(mode(name, *arguments), "Deployment"))["env"]}
        return {variable: env[variable] for variable in STREAMS}

    assert told() == STREAMS
    values = {
        "changeRetention": "all",
        "dedupWindow": 2592000,
        "recordBatch": 1,
        "recordBatchLinger": 0.5,
        "slowReaderTimeout": "2.5s",
    }
    arguments = ("--set-json", "server=" + json.dumps(values))
    assert list(told(*arguments).values()) == ["all", "2592000", "1", "0.5", "2.5s"]
    # By the names of the version before.
    values = {"history": 2592000, "recordMemory": 0, "recordBatch": 1, "recordBatchAge": 0.5, "streamPatience": 2.5}
    arguments = ("--set-json", "server=" + json.dumps(values))
    assert list(told(*arguments).values()) == ["2592000", "0", "1", "0.5", "2.5"]


def environment(*arguments):
    """The variables of the server that serves TLS to clients with certificates."""
    entries = container(one(mode("sqlite", *arguments), "Deployment"))["env"]
    return {entry["name"]: entry.get("value") for entry in entries}


def test_the_server_is_told_of_what_has_no_default():
    given = {
        "PEDIGREE_AUDIT_RETENTION": ("server.auditRetention=365d", "365d"),
        "PEDIGREE_TLS_CLIENT_CRL": ("tls.clientCRLKey=revoked.pem", "/etc/pedigree/client-ca/crl.pem"),
    }
    for variable, (value, expected) in given.items():
        assert variable not in environment()
        assert environment("--set", value)[variable] == expected
    deployment = one(mode("sqlite", "--set", "tls.clientCRLKey=revoked.pem"), "Deployment")
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    clients = next(volume for volume in volumes if volume["name"] == "client-ca")
    assert {"key": "revoked.pem", "path": "crl.pem"} in clients["secret"]["items"]


# Renders the notes, which `helm template` leaves out, as the only value of an object.
NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  notes: {{ include (print $.Template.BasePath "/NOTES.txt") . | quote }}
"""


def test_the_notes_name_values_that_were_renamed(tmp_path):
    chart = shutil.copytree(CHART, tmp_path / "pedigree")
    (chart / "templates/notes.yaml").write_text(NOTES)

    def notes(*arguments):
        version = ("--kube-version", KUBERNETES[-1])
        done = helm("template", "rel", chart, *version, "--show-only", "templates/notes.yaml", *arguments)
        assert done.returncode == 0, done.stderr
        return yaml.safe_load(done.stdout)["data"]["notes"]

    assert "is now called" not in notes()
    assert "The value server.history is now called server.changeRetention." in notes("--set", "server.history=5")


@pytest.mark.parametrize("name", MODES)
def test_passwords_are_in_secrets_only(name):
    rendered = [m for m in mode(name) if m["kind"] != "Secret"]
    assert "p%40ss" not in json.dumps(rendered)


def test_the_migration_runs_before_the_servers_with_a_secret_of_its_own():
    manifests = mode("mysql")
    job = one(manifests, "Job")
    secret = one(manifests, "Secret", "rel-pedigree-migration")
    assert secret["stringData"] == {"password": "p%40ss:/?#"}
    weights = [int(m["metadata"]["annotations"].get("helm.sh/hook-weight", 0)) for m in (secret, job)]
    assert weights[0] < weights[1]
    for hook in (secret, job):
        assert hook["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    mounted = {volume["name"]: volume for volume in pod_spec(job)["volumes"]}["database"]["secret"]["secretName"]
    assert mounted == secret["metadata"]["name"]
    assert container(job)["command"] == ["/bin/pedigree", "migrate"]
    assert container(job)["args"] == ["--widen"]
    # What the server knows of the database the job knows too.
    server = container(one(manifests, "Deployment"))["env"]
    assert all(entry in server for entry in container(job)["env"])
    assert not [m for m in mode("postgres", "--set", "migration.enabled=false") if m["kind"] == "Job"]


def test_kubeflow_gets_its_own_names():
    manifests = mode("kubeflow")
    deployment = one(manifests, "Deployment", "metadata-grpc-deployment")
    assert deployment["spec"]["selector"]["matchLabels"] == {"component": "metadata-grpc-server"}
    assert deployment["spec"]["template"]["metadata"]["labels"]["component"] == "metadata-grpc-server"
    assert pod_spec(deployment)["serviceAccountName"] == "metadata-grpc-server"
    grpc = one(manifests, "Service", "metadata-grpc-service")["spec"]
    assert grpc["selector"] == {"component": "metadata-grpc-server"}
    assert grpc["ports"] == [{"name": "grpc-api", "port": 8080, "targetPort": "grpc-api"}]
    envoy = one(manifests, "Service", "metadata-envoy-service")["spec"]
    assert envoy["selector"] == grpc["selector"]
    assert envoy["ports"] == [{"name": "md-envoy", "port": 9090, "targetPort": "grpc-api"}]
    told = one(manifests, "ConfigMap", "metadata-grpc-configmap")["data"]
    assert told == {"METADATA_GRPC_SERVICE_HOST": "metadata-grpc-service", "METADATA_GRPC_SERVICE_PORT": "8080"}


def test_kubeflow_gets_its_own_arguments_and_environment():
    server = container(one(mode("kubeflow"), "Deployment"))
    assert server["command"] == ["/bin/metadata_store_server"]
    assert server["args"] == KUBEFLOW_MYSQL
    assert {"name": "grpc-api", "containerPort": 8080} in server["ports"]
    sources = {entry["name"]: entry["valueFrom"] for entry in server["env"] if "valueFrom" in entry}
    config = {"name": "pipeline-install-config"}
    assert sources == {
        "DBCONFIG_USER": {"secretKeyRef": {"name": "mysql-secret", "key": "username"}},
        "DBCONFIG_PASSWORD": {"secretKeyRef": {"name": "mysql-secret", "key": "password"}},
        "MYSQL_DATABASE": {"configMapKeyRef": {**config, "key": "mlmdDb"}},
        "MYSQL_HOST": {"configMapKeyRef": {**config, "key": "mysqlHost"}},
        "MYSQL_PORT": {"configMapKeyRef": {**config, "key": "mysqlPort"}},
    }


def test_kubeflow_on_postgresql_gets_those_of_its_overlay():
    server = container(one(mode("kubeflow-postgres"), "Deployment"))
    assert server["args"] == KUBEFLOW_POSTGRES + KUBEFLOW_MYSQL[-1:]
    sources = {entry["name"]: entry["valueFrom"] for entry in server["env"] if "valueFrom" in entry}
    parameters, secrets = {"name": "metadata-postgres-db-parameters"}, {"name": "metadata-postgres-db-secrets"}
    assert sources == {
        "POSTGRES_USER": {"secretKeyRef": {**secrets, "key": "POSTGRES_USER"}},
        "POSTGRES_PASSWORD": {"secretKeyRef": {**secrets, "key": "POSTGRES_PASSWORD"}},
        "POSTGRES_DBNAME": {"configMapKeyRef": {**parameters, "key": "POSTGRES_DBNAME"}},
        "POSTGRES_PORT": {"configMapKeyRef": {**parameters, "key": "POSTGRES_PORT"}},
    }


def test_a_budget_and_a_spread_come_with_several_servers():
    for name, several in (("sqlite", False), ("kubeflow", False), ("mysql", True), ("postgres", True)):
        manifests = mode(name)
        assert bool([m for m in manifests if m["kind"] == "PodDisruptionBudget"]) == several
        assert ("topologySpreadConstraints" in pod_spec(one(manifests, "Deployment"))) == several


def test_the_policy_lets_out_what_the_server_needs():
    ports = lambda *of: [port["port"] for rule in one(mode(*of), "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert ports("sqlite") == [53, 53]
    assert ports("postgres") == [53, 53, 5432, 4317]
    assert ports("mysql") == [53, 53, 3307]
    several = "--set=database.host=,database.port=0,database.url=postgres://a:1\\,b\\,c:1\\,d:2/name"
    assert ports("postgres", several) == [53, 53, 1, 5432, 2, 4317]


def test_everything_that_is_scraped_is_found():
    manifests = mode("postgres")
    monitor = one(manifests, "ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    admin = [m for m in manifests if m["kind"] == "Service" and monitor["selector"]["matchLabels"].items() <= m["metadata"]["labels"].items()]
    assert [service["spec"]["ports"][0]["name"] for service in admin] == [endpoint["port"]]


def test_the_dashboard_is_in_its_config_map():
    data = one(mode("postgres"), "ConfigMap")["data"]
    assert json.loads(data["pedigree.json"]) == json.loads((CHART / "dashboards/pedigree.json").read_text())


def test_the_chart_and_the_program_have_one_version():
    manifest = (CHART.parents[1] / "Cargo.toml").read_text()
    version = re.search(r'^version = "(.*)"$', manifest, re.MULTILINE)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == version
