"""Checks exports of provenance with the public validator of each format.

    python tests/provenance/validate.py CASES

CASES is a file of JSON lines: {"format": ..., "file": ..., "key": ...}. A line is printed for each:
`accepted`, or `refused: REASON`.
"""

import json
import sys
import warnings
from pathlib import Path


def slsa(text, key):
    """Each line is a statement, in an envelope if there is a public key."""
    from google.protobuf import json_format
    from in_toto_attestation.v1.statement import Statement
    import in_toto_attestation.predicates.provenance.v1.provenance_pb2 as predicates
    import in_toto_attestation.v1.statement_pb2 as statements

    lines = text.splitlines()
    if not lines:
        raise ValueError("no statement")
    for line in lines:
        if key:
            line = verified(json.loads(line), key)
        message = json_format.Parse(line, statements.Statement())
        Statement.copy_from_pb(message).validate()
        if message.predicate_type != "https://slsa.dev/provenance/v1":
            raise ValueError("no SLSA provenance")
        predicate = json.loads(line)["predicate"]
        predicate = json_format.ParseDict(predicate, predicates.Provenance())
        # The protobuf message has no required fields; the specification has these.
        build, run = predicate.build_definition, predicate.run_details
        if not (build.build_type and build.external_parameters and run.builder.id):
            raise ValueError("a field that SLSA requires is missing")


def verified(envelope, key):
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    public = load_pem_public_key(Path(key).read_bytes())
    keyid = envelope["signatures"][0]["keyid"]
    read = Envelope.from_dict(envelope)
    read.verify([SSlibKey.from_crypto(public, keyid=keyid)], 1)
    return read.payload.decode()


def cyclonedx(text, _):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = json.loads(text)["specVersion"]
    error = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(text)
    if error:
        raise ValueError(str(error)[:500])
    # The schema has no rule for them: each reference names a component.
    bom = json.loads(text)
    known = {it["bom-ref"] for it in [bom["metadata"]["component"], *bom["components"]]}
    named = {it["ref"] for it in bom["dependencies"]}
    named |= {needed for it in bom["dependencies"] for needed in it["dependsOn"]}
    if named - known:
        raise ValueError(f"unknown references: {sorted(named - known)}")


def prov(text, _):
    from io import StringIO

    from prov.model import ProvActivity, ProvDocument, ProvEntity, ProvGeneration, ProvUsage

    with warnings.catch_warnings():
        # What is dropped with a warning is wrong.
        warnings.simplefilter("error")
        document = ProvDocument.deserialize(StringIO(text), format="json")
    document.serialize(format="rdf", rdf_format="turtle")
    known = {kind: {it.identifier for it in document.get_records(kind)} for kind in (ProvActivity, ProvEntity)}
    for relation in [*document.get_records(ProvUsage), *document.get_records(ProvGeneration)]:
        ends = {value for _, value in relation.formal_attributes if value is not None}
        if not (ends & known[ProvActivity]) or not (ends & known[ProvEntity]):
            raise ValueError(f"a relation names no activity or no entity: {relation}")


def ro_crate(text, _):
    import requests
    import rocrate
    from rocrate_validator import models, services
    from rocrate_validator.utils.http import HttpRequester

    context = json.loads((Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text())
    assert context["@id"] == "https://w3id.org/ro/crate/1.1/context"

    def fetch(self, url, **_):
        if url != context["@id"]:
            raise ValueError(f"no network: {url}")
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/ld+json"
        response._content = json.dumps(context).encode()
        return response

    HttpRequester.get = HttpRequester.head = fetch
    settings = services.ValidationSettings(
        rocrate_uri=".",
        metadata_dict=json.loads(text),
        profile_identifier="process-run-crate",
        requirement_severity=models.Severity.REQUIRED,
        metadata_only=True,
        offline=True,
    )
    result = services.validate_metadata_as_dict(json.loads(text), settings)
    issues = [f"{it.check.identifier}: {it.message}" for it in result.get_issues()]
    if issues:
        raise ValueError("; ".join(issues)[:1000])


def schema(text, key):
    """`key` is the file of a JSON schema."""
    import jsonschema

    rules = json.loads(Path(key).read_text())
    checked = jsonschema.Draft202012Validator(rules)
    checked.check_schema(rules)
    checked.validate(json.loads(text))


FORMATS = {
    "slsa": slsa,
    "cyclonedx": cyclonedx,
    "prov": prov,
    "ro-crate": ro_crate,
    "schema": schema,
}


def main():
    for line in Path(sys.argv[1]).read_text().splitlines():
        case = json.loads(line)
        text = Path(case["file"]).read_text()
        try:
            FORMATS[case["format"]](text, case.get("key"))
            print("accepted")
        except Exception as error:
            print("refused:", type(error).__name__, " ".join(str(error).split()))


if __name__ == "__main__":
    main()
