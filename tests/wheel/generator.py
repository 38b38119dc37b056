"""A seeded stream of requests over all 52 methods, valid and invalid.

Names, ids and external ids come from small pools so that collisions and hits are frequent. The stream avoids what would end the
reference's process or leave the two stores in different states because of a defect we fix on purpose: an empty Value among custom
properties, doubles that do not survive six decimals, one name used both as a typed and a custom property, events and attributions of
artifacts that do not exist. `fixed_defects` asks the server about those.
"""
import random
from collections.abc import Callable
from typing import NamedTuple

from google.protobuf.message import Message

from edge_requests import EdgeRequests
from model import ARTIFACT, CONTEXT, EXECUTION, KINDS, Model
from oracle import METHODS, request_class
from pools import PROPERTY_TYPES, TYPE_NAMES
from read_requests import ReadRequests

WEIGHTS = {  # a method not named here has weight 10
    "PutArtifacts": 70,
    "PutExecutions": 40,
    "PutContexts": 40,
    "PutExecution": 70,
    "PutLineageSubgraph": 60,
    "PutEvents": 40,
    "PutAttributionsAndAssociations": 30,
    "PutParentContexts": 25,
    "PutArtifactType": 25,
    "PutExecutionType": 20,
    "PutContextType": 15,
    "PutTypes": 15,
    "GetArtifacts": 60,
    "GetExecutions": 40,
    "GetContexts": 40,
    "GetLineageSubgraph": 45,
    "GetArtifactsByType": 25,
    "GetExecutionsByType": 20,
    "GetContextsByType": 20,
    "GetArtifactsByContext": 25,
    "GetExecutionsByContext": 20,
    "GetArtifactsByID": 30,
    "GetExecutionsByID": 25,
    "GetContextsByID": 25,
    "GetParentContextsByContexts": 6,
    "GetChildrenContextsByContexts": 6,
    "GetLineageGraph": 6,
}
SWEEP_EVERY = 400  # requests between two complete reads of the store


class Call(NamedTuple):
    """One request of the stream. `request` is a message, or bytes that are sent as they are."""

    method: str
    request: Message | bytes


class Generator(EdgeRequests, ReadRequests):
    """Endless stream of calls. Feed every answer of the reference back with `observe`."""

    def __init__(self, seed, methods=METHODS):
        super().__init__(random.Random(seed), Model())
        self._methods = methods
        self._weights = [WEIGHTS.get(method, 10) for method in methods]
        self._builders = self._table()
        self._number = 0
        self._queue = list(self._first_types())

    def observe(self, call, answer):
        if not isinstance(call.request, bytes):
            self.model.observe(call.method, call.request, answer)

    def next(self):
        self._number += 1
        if self._number % SWEEP_EVERY == 0:
            self._queue += self.sweep()
        if self._queue:
            return self._queue.pop(0)
        method = self._random.choices(self._methods, self._weights)[0]
        if self._chance(0.002):
            return Call(method, self._random.choice((b"\xff\xff\xff", b"\x0a\x7f", b"\x0b")))
        if method in self.model.pages and self._chance(0.5):
            request = self._next_page(method)
        else:
            request = self._builders[method]()
        if self._chance(0.03):
            request.transaction_options.tag = "any"
        return Call(method, request)

    def _table(self) -> dict[str, Callable[[], Message]]:
        table = {
            "PutTypes": self._put_types,
            "PutEvents": self._put_events,
            "PutExecution": self._put_execution,
            "PutLineageSubgraph": self._put_lineage_subgraph,
            "PutAttributionsAndAssociations": self._put_memberships,
            "PutParentContexts": self._put_parent_contexts,
            "GetArtifactsByURI": self._get_by_uri,
            "GetEventsByArtifactIDs": lambda: self._ids_request("GetEventsByArtifactIDs", "artifact_ids", ARTIFACT),
            "GetEventsByExecutionIDs": lambda: self._ids_request("GetEventsByExecutionIDs", "execution_ids", EXECUTION),
            "GetContextsByArtifact": lambda: self._id_request("GetContextsByArtifact", ARTIFACT),
            "GetContextsByExecution": lambda: self._id_request("GetContextsByExecution", EXECUTION),
            "GetParentContextsByContext": lambda: self._id_request("GetParentContextsByContext", CONTEXT),
            "GetChildrenContextsByContext": lambda: self._id_request("GetChildrenContextsByContext", CONTEXT),
            "GetParentContextsByContexts": lambda: self._ids_request("GetParentContextsByContexts", "context_ids", CONTEXT),
            "GetChildrenContextsByContexts": lambda: self._ids_request("GetChildrenContextsByContexts", "context_ids", CONTEXT),
            "GetArtifactsByContext": lambda: self._by_context(ARTIFACT),
            "GetExecutionsByContext": lambda: self._by_context(EXECUTION),
            "GetLineageGraph": self._lineage_graph,
            "GetLineageSubgraph": self._lineage_subgraph,
        }
        for kind in KINDS:
            table |= {
                f"Put{kind.name}Type": lambda kind=kind: self._put_type(kind),
                f"Put{kind.plural}": lambda kind=kind: self._put_nodes(kind),
                f"Get{kind.name}Type": lambda kind=kind: self._named_type(f"Get{kind.name}Type", kind),
                f"Get{kind.name}Types": lambda kind=kind: request_class(f"Get{kind.name}Types")(),
                f"Get{kind.name}TypesByID": lambda kind=kind: self._types_by_id(kind),
                f"Get{kind.name}TypesByExternalIds": lambda kind=kind: self._external_ids(f"Get{kind.name}TypesByExternalIds", None),
                f"Get{kind.plural}": lambda kind=kind: self._list(f"Get{kind.plural}", kind),
                f"Get{kind.plural}ByID": lambda kind=kind: self._nodes_by_id(kind),
                f"Get{kind.plural}ByType": lambda kind=kind: self._by_type(kind),
                f"Get{kind.name}ByTypeAndName": lambda kind=kind: self._by_type_and_name(kind),
                f"Get{kind.plural}ByExternalIds": lambda kind=kind: self._external_ids(f"Get{kind.plural}ByExternalIds", kind),
            }
        return table

    def _first_types(self):
        for kind in KINDS:
            for name in TYPE_NAMES[kind] if f"Put{kind.name}Type" in self._methods else ():
                request = request_class(f"Put{kind.name}Type")()
                given = getattr(request, f"{kind.field}_type")
                given.name = name
                given.properties.update(PROPERTY_TYPES)
                yield Call(f"Put{kind.name}Type", request)

    def sweep(self):
        """Reads the whole store, so that no difference in what was written stays unseen."""
        return [call for call in self._all_reads() if call.method in self._methods]

    def _all_reads(self):
        for kind in KINDS:
            yield Call(f"Get{kind.plural}", request_class(f"Get{kind.plural}")())
            yield Call(f"Get{kind.name}Types", request_class(f"Get{kind.name}Types")())
            type_ids = list(self.model.of[kind].declared)
            yield Call(f"Get{kind.name}TypesByID", request_class(f"Get{kind.name}TypesByID")(type_ids=type_ids))
        artifact_ids = list(self.model.of[ARTIFACT].type_of)
        yield Call("GetEventsByArtifactIDs", request_class("GetEventsByArtifactIDs")(artifact_ids=artifact_ids))
        for context_id in list(self.model.of[CONTEXT].type_of)[-20:]:
            for method in ("GetArtifactsByContext", "GetExecutionsByContext", "GetParentContextsByContext"):
                yield Call(method, request_class(method)(context_id=context_id))
