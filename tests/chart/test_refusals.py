"""Values that make no sense are refused, and the message names the one that is wrong."""

import pytest
from helm import template

POSTGRES = "database.type=postgres,database.host=db,database.existingSecret=s"

REFUSED = {
    "two servers on SQLite": ("replicas=2", "'/replicas': maximum: got 2, want 1"),
    "SQLite with more servers under load": ("autoscaling.enabled=true", "'/autoscaling/enabled': value must be false"),
    "SQLite for Kubeflow": ("kubeflow.enabled=true", "'/kubeflow/enabled': value must be false"),
    "SQLite with a host": ("database.host=db", "'/database/host': maxLength"),
    "a database without a host": ("database.type=mysql,database.existingSecret=s", "'/database/host': minLength"),
    "no source of the password": ("database.type=postgres,database.host=db", "'/database/existingSecret': minLength"),
    "a user without a password": ("database.type=mysql,database.host=db,database.user=u", "'/database/password': minLength"),
    "two sources of the password": (POSTGRES + ",database.password=p", "'/database/password': maxLength"),
    "a password in the URL": (
        "database.type=postgres,database.existingSecret=s,database.url=postgres://u:p@db/m",
        "'/database/url'",
    ),
    "a URL of another database": ("database.type=mysql,database.existingSecret=s,database.url=postgres://db/m", "'/database/url'"),
    "a host beside a URL": (POSTGRES + ",database.url=postgres://db/m", "'/database/host': maxLength"),
    "a certificate without its key": (
        POSTGRES + ",database.tls.existingSecret=t,database.tls.certKey=c",
        "'/database/tls/keyKey': minLength",
    ),
    "a certificate from nowhere": (
        POSTGRES + ",database.tls.certKey=c,database.tls.keyKey=k",
        "'/database/tls/existingSecret': minLength",
    ),
    "an unknown TLS mode": (POSTGRES + ",database.tls.mode=maybe", "'/database/tls/mode': value must be one of"),
    "a database of one's own in Kubeflow": ("kubeflow.enabled=true," + POSTGRES, "'/database/host': maxLength"),
    "TLS without a certificate": ("tls.enabled=true", "'/tls/existingSecret': minLength"),
    "TLS with two certificates": (
        "tls.enabled=true,tls.existingSecret=t,tls.certManager.enabled=true,tls.certManager.issuerRef.name=i",
        "'/tls/existingSecret': maxLength",
    ),
    "cert-manager without an issuer": (
        "tls.enabled=true,tls.certManager.enabled=true",
        "'/tls/certManager/issuerRef/name': minLength",
    ),
    "a certificate without TLS": ("tls.existingSecret=t", "'/tls/existingSecret': maxLength"),
    "clients' certificates without TLS": ("tls.clientCASecret=t", "'/tls/clientCASecret': maxLength"),
    "two security files": ("security.existingSecret=s,security.config=x", "'/security/existingSecret': maxLength"),
    "a route without a gateway": ("gateway.grpc.enabled=true,gateway.grpc.hostnames={a.b}", "'/gateway/parentRefs': minItems"),
    "a route without a host name": ("gateway.web.enabled=true,gateway.parentRefs[0].name=g", "'/gateway/web/hostnames': minItems"),
    "one host name in two kinds of route": (
        "gateway.grpc.enabled=true,gateway.web.enabled=true,gateway.parentRefs[0].name=g,"
        "gateway.grpc.hostnames={a.b},gateway.web.hostnames={a.b}",
        "a.b cannot be in grpc.hostnames and in web.hostnames",
    ),
    "an Ingress without a host name": ("ingress.enabled=true", "'/ingress/hostnames': minItems"),
    "an unknown value": ("replica=1", "additional properties 'replica' not allowed"),
    "an unknown value further down": ("database.hots=db", "at '/database': additional properties 'hots' not allowed"),
    "a port that is none": ("service.port=70000", "'/service/port': maximum"),
    "an unknown database": ("database.type=oracle", "'/database/type': value must be one of"),
    "an origin with a path": ("server.webOrigins={https://a.b/c}", "'/server/webOrigins/0'"),
    "a timeout that PostgreSQL does not have": ("server.slowReaderTimeout=51", "'/server/slowReaderTimeout': maximum: got 51, want 50"),
    "the same with a unit": ("server.slowReaderTimeout=51s", "'/server/slowReaderTimeout'"),
    "the same by the old name": ("server.streamPatience=51", "'/server/streamPatience': maximum: got 51, want 50"),
    "batches of nothing": ("server.recordBatch=0", "'/server/recordBatch': minimum: got 0, want 1"),
    "a negative retention": ("server.changeRetention=-1", "'/server/changeRetention': minimum: got -1, want 0"),
    "the same by its old name": ("server.history=-1", "'/server/history': minimum: got -1, want 0"),
    "a retention in parsecs": ("server.changeRetention=5 parsecs", "'/server/changeRetention'"),
    "the same of the audit": ("server.auditRetention=5 parsecs", "'/server/auditRetention'"),
    "a size that is a time": ("server.maxRequestBytes=5s", "'/server/maxRequestBytes'"),
    "too few connections": ("database.connections=1", "'/database/connections': minimum: got 1, want 2"),
    "a name that Kubernetes does not take": ("database.existingSecret=My_Secret", "'/database/existingSecret'"),
    "a job without a service account": ("migration.serviceAccountName=", "'/migration/serviceAccountName': minLength"),
    "an old Kubernetes": (None, "requires kubeVersion"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name):
    values, message = REFUSED[name]
    done = template("--set", values) if values else template(kubernetes="1.26.0")
    assert done.returncode != 0, done.stdout
    assert message in done.stderr, done.stderr


@pytest.mark.parametrize(
    "values",
    [
        "replicas=0",
        POSTGRES + ",replicas=5",
        "database.type=mysql,database.host=db,database.user=u,database.tls.existingSecret=t,"
        "database.tls.certKey=c,database.tls.keyKey=k,database.tls.mode=verify-full",
        "database.type=postgres,database.url=postgres://[::1]:5432/m,database.existingSecret=s",
        "tls.enabled=true,tls.existingSecret=t,tls.clientCASecret=c,tls.clientCRLKey=crl.pem",
        "server.auditRetention=365d",
        "global.region=eu",
    ],
)
def test_it_is_accepted(values):
    done = template("--set", values)
    assert done.returncode == 0, done.stderr
