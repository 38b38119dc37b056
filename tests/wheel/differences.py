"""Where our answers differ from the reference on purpose, one entry for each rule, named after the defect it mends.

Every entry concerns answers only. Defects that would leave the two stores in different states are kept out of the stream by the generator
and asked about in `fixed_defects`.
"""
import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from generator import Call
from ml_metadata.proto import metadata_store_pb2 as pb
from model import LISTS
from oracle import ALREADY_EXISTS, INTERNAL, INVALID_ARGUMENT, NOT_FOUND, OK, UNIMPLEMENTED, Answer

CAP = 100
INT32_MAX = 2**31 - 1
MISSED_ENUM = re.compile(r"\b(ABANDONED|REFERENCE|PENDING_OUTPUT)\b|state (<>|IN\()")
MISSED_COLUMN = re.compile(r"(artifacts|executions)_\w+\.external_id|(parent|child)_contexts_\w+\.(create|last_update)_time_since_epoch")
SUPERSET_FIELDS = {"external_id", "base_type", "input_type", "output_type"}


@dataclass(frozen=True)
class Exchange:
    """One request and what the two sides made of it."""

    number: int
    call: Call
    expected: Answer
    actual: Answer
    expected_form: dict
    actual_form: dict

    @property
    def method(self):
        return self.call.method

    @property
    def request(self):
        """The request as a message, or None when it was not one."""
        return None if isinstance(self.call.request, bytes) else self.call.request

    def filter_query(self):
        """All filter queries of the request, one after another."""
        if self.request is None:
            return ""
        if self.method in LISTS:
            return self.request.options.filter_query
        if self.method == "GetLineageSubgraph":
            options = self.request.lineage_subgraph_query_options
            parts = (options.starting_artifacts, options.starting_executions, options.ending_artifacts, options.ending_executions)
            return "\n".join(part.filter_query for part in parts)
        return ""


@dataclass(frozen=True)
class KnownDifference:
    row: str
    why: str
    applies: Callable[[Exchange], bool]


def _codes(exchange, expected, actual):
    return exchange.expected.code == expected and exchange.actual.code == actual


def _undecodable_request(exchange):
    return exchange.request is None and _codes(exchange, INVALID_ARGUMENT, INTERNAL)


def _page_over_cap(exchange):
    if exchange.method not in LISTS or exchange.request is None or exchange.request.options.max_result_size <= CAP:
        return False
    if exchange.request.options.max_result_size == INT32_MAX and exchange.expected.message.startswith("max_result_size"):
        return exchange.actual.code in (OK, INVALID_ARGUMENT)  # the latter when something else in the request is wrong
    if not _codes(exchange, OK, OK):
        return False
    rows = LISTS[exchange.method].fields
    expected, actual = exchange.expected_form["response"], exchange.actual_form["response"]
    return len(expected[rows]) == CAP + 1 and actual[rows] == expected[rows][:CAP] and bool(actual.get("next_page_token"))


def _unique_violation(exchange):
    return _codes(exchange, INTERNAL, ALREADY_EXISTS) and "UNIQUE constraint failed" in exchange.expected.message


def _enum_superset(exchange):
    if exchange.expected.code != INVALID_ARGUMENT:
        return False
    if exchange.actual.code == INVALID_ARGUMENT:  # something else is wrong as well, or the attribute is not one of this kind of node
        return "Unsupported enum value" in exchange.expected.message
    return exchange.actual.code in (OK, NOT_FOUND) and bool(MISSED_ENUM.search(exchange.filter_query()))


def _missed_column(exchange):
    return _codes(exchange, INTERNAL, OK) and bool(MISSED_COLUMN.search(exchange.filter_query()))


def _without_extras(expected, actual):
    """`actual` without those type fields that only it fills."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        extra = (actual.keys() - expected.keys()) & SUPERSET_FIELDS
        return {key: _without_extras(expected.get(key), value) for key, value in actual.items() if key not in extra}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [_without_extras(left, right) for left, right in zip(expected, actual)]
    return actual


def _by_id(fields):
    """Type lists by id: an additional field must not change the order in which sorting put them."""
    types = {key for key in fields if key.endswith("_types")}
    return {key: sorted(value, key=lambda item: item["id"]) if key in types else value for key, value in fields.items()}


def _type_superset(exchange):
    if not _codes(exchange, OK, OK):
        return False
    expected, actual = exchange.expected_form["response"], exchange.actual_form["response"]
    if exchange.method == "GetLineageSubgraph":
        expected, actual = expected["lineage_subgraph"], actual["lineage_subgraph"]
    names = [key for key in expected if key.endswith(("_type", "_types"))]
    if not names or expected.keys() != actual.keys():
        return False
    expected, actual = _by_id(expected), _by_id(actual)
    others_equal = all(expected[key] == actual[key] for key in expected if key not in names)
    return others_equal and all(_without_extras(expected[key], actual[key]) == expected[key] for key in names)


def _token(answer):
    """The page token of an answer as a message, without what the reference does not know itself."""
    text = getattr(answer.response, "next_page_token", "")
    token = pb.ListOperationNextPageToken.FromString(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    token.DiscardUnknownFields()
    return token


def _unknown_number_in_token(exchange):
    if exchange.method not in LISTS or not _codes(exchange, OK, OK):
        return False
    expected, actual = dict(exchange.expected_form["response"]), dict(exchange.actual_form["response"])
    if expected.pop("next_page_token", None) is None or actual.pop("next_page_token", None) is None:
        return False
    return expected == actual and _token(exchange.expected) == _token(exchange.actual)


def _lazy_ending_filter(exchange):
    refused = exchange.method == "GetLineageSubgraph" and _codes(exchange, OK, INVALID_ARGUMENT)
    return refused and exchange.actual.message.startswith("Invalid `filter_query`: ")


def _unserved(exchange):
    return exchange.expected.code == UNIMPLEMENTED and exchange.expected.message == "" and exchange.actual.code != UNIMPLEMENTED


KNOWN_DIFFERENCES = (
    KnownDifference("wire", "an undecodable request is INTERNAL over gRPC, INVALID_ARGUMENT in process", _undecodable_request),
    KnownDifference("wire", "an enum number that is not declared is dropped, not carried along in a page token", _unknown_number_in_token),
    KnownDifference("7.2", "a wrong filter for ending nodes is refused even when no node comes to it", _lazy_ending_filter),
    KnownDifference("F8", "max_result_size above 100 is capped at 100 and gets a page token", _page_over_cap),
    KnownDifference("F12", "a unique violation of an update is ALREADY_EXISTS", _unique_violation),
    KnownDifference("F15", "enum predicates that the reference's text rewriting misses are understood", _enum_superset),
    KnownDifference("F16", "every declared column of a neighbour can be filtered on", _missed_column),
    KnownDifference("F19", "types are returned with all their fields", _type_superset),
    KnownDifference("F28", "the three methods that the reference does not serve are served", _unserved),
)


def known_difference(exchange):
    """The row of the rule that allows this difference, or None."""
    for difference in KNOWN_DIFFERENCES:
        if difference.applies(exchange):
            return difference.row
    return None
