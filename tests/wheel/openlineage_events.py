"""Checks events against the schemas of OpenLineage, as its released client has them.

The classes of the client are generated from the published JSON schemas: each has the fields of an
object, which of them are required, and their types. A JSON schema is made of them again, so that
jsonschema finds what is missing, of another type or unknown. A facet whose `_schemaURL` names none
of the classes is one of our own: it has what every facet at its place has, and anything else.
"""

import argparse
import enum
import importlib
import json
import pkgutil
import types
import typing
from datetime import datetime
from urllib.parse import urlsplit

import attr
import jsonschema
from openlineage.client import generated
from openlineage.client.generated import base

# Checks of the client beyond types, by the name of the field.
FORMATS = {
    "runId": "uuid",
    "eventTime": "date-time",
    "nominalStartTime": "date-time",
    "nominalEndTime": "date-time",
}

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}

CHECKER = jsonschema.FormatChecker()


@CHECKER.checks("date-time", raises=ValueError)
def is_time(value):
    """A time with its zone."""
    return "T" in value and datetime.fromisoformat(value).tzinfo is not None


@CHECKER.checks("uri", raises=ValueError)
def is_uri(value):
    return bool(urlsplit(value).scheme) and " " not in value


def classes():
    """The classes of the client, by the URLs of their schemas."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        module = importlib.import_module(f"{generated.__name__}.{module.name}")
        for value in vars(module).values():
            if attr.has(value) and hasattr(value, "_get_schema"):
                found[value._get_schema()] = value
    return found


CLASSES = classes()


def is_facet(of):
    return isinstance(of, type) and issubclass(of, base.BaseFacet)


def schema(of):
    """The JSON schema of a type. Maps of facets are open: `check_facets` goes into them."""
    origin = typing.get_origin(of)
    if origin in (typing.Union, types.UnionType):
        # What is optional may be left out, and is never null.
        given = [part for part in typing.get_args(of) if part is not type(None)]
        return {"anyOf": [schema(part) for part in given]}
    if origin is list:
        return {"type": "array", "items": schema(typing.get_args(of)[0])}
    if origin is dict:
        return {"type": "object"}
    if isinstance(of, type) and issubclass(of, enum.Enum):
        return {"enum": [member.value for member in of]}
    if attr.has(of):
        return object_schema(of)
    return {"type": SIMPLE[of]} if of in SIMPLE else {}


def object_schema(of):
    # Some modules import these only for type checkers.
    names = vars(typing) | vars(importlib.import_module(of.__module__))
    attr.resolve_types(of, names)
    properties, required = {}, []
    for field in attr.fields(of):
        properties[field.name] = schema(field.type)
        if field.name in FORMATS:
            properties[field.name]["format"] = FORMATS[field.name]
        if field.default is attr.NOTHING:
            required.append(field.name)
    if is_facet(of):
        required += ["_producer", "_schemaURL"]
    if issubclass(of, base.BaseEvent):
        required += ["producer", "schemaURL"]
    for name in ("producer", "schemaURL", "_producer", "_schemaURL"):
        if name in properties:
            properties[name]["format"] = "uri"
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def check(value, wanted):
    """Fails with the path of what is wrong."""
    jsonschema.Draft202012Validator(wanted, format_checker=CHECKER).validate(value)


def check_facets(facets, common):
    """Facets of a map, each by the class that its URL names."""
    for key, facet in facets.items():
        of = CLASSES.get(facet["_schemaURL"])
        assert of is not None, f"{key}: no schema is at {facet['_schemaURL']}"
        assert issubclass(of, common), f"{key} is no {common.__name__}"
        wanted = object_schema(of)
        if of is common:
            wanted["additionalProperties"] = True
            assert key.startswith("pedigree_"), f"{key} has the schema of any facet"
        check(facet, wanted)


def check_event(event):
    check(event, object_schema(base.RunEvent))
    check_facets(event["run"].get("facets", {}), base.RunFacet)
    check_facets(event["job"].get("facets", {}), base.JobFacet)
    for dataset in event["inputs"]:
        check_facets(dataset.get("facets", {}), base.DatasetFacet)
        check_facets(dataset.get("inputFacets", {}), base.InputDatasetFacet)
    for dataset in event["outputs"]:
        check_facets(dataset.get("facets", {}), base.DatasetFacet)
        check_facets(dataset.get("outputFacets", {}), base.OutputDatasetFacet)


def check_checker():
    """What the schemas refuse is refused here."""
    whole = {
        "eventType": "START",
        "eventTime": "2026-01-31T09:00:00Z",
        "producer": "urn:x",
        "schemaURL": base.RunEvent._get_schema(),
        "run": {"runId": "0198fd6e-7a5f-7c3e-9d3b-1f2a3b4c5d6e"},
        "job": {"namespace": "n", "name": "j"},
        "inputs": [],
        "outputs": [],
    }
    check_event(whole)
    wrong = [
        {"run": {"runId": "run_id"}},
        {"job": {"namespace": "n"}},
        {"eventType": "BEGIN"},
        {"eventTime": "2026-01-31"},
        {"eventTime": "2026-01-31T09:00:00"},
        {"producer": None},
        {"producer": "me"},
        {"inputs": [{"namespace": "n"}]},
        {"color": "red"},
    ]
    for change in wrong:
        try:
            check_event(whole | change)
        except jsonschema.ValidationError:
            continue
        raise AssertionError(f"{change} is taken for valid")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("events")
    check_checker()
    with open(parser.parse_args().events) as lines:
        events = [json.loads(line) for line in lines]
    for event in events:
        try:
            check_event(event)
        except (AssertionError, jsonschema.ValidationError) as error:
            raise SystemExit(f"{error}\n{json.dumps(event, indent=1)}") from error
    print(f"{len(events)} events are valid")


main()
