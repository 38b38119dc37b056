"""What the generator knows about the store, learnt from the answers of the reference."""
from dataclasses import dataclass, field

from google.protobuf.message import Message
from ml_metadata.proto import metadata_store_pb2 as pb


@dataclass(frozen=True)
class Kind:
    """One of the three kinds of node and the names that differ between them."""

    name: str
    node: type[Message]
    type: type[Message]
    state_field: str | None

    @property
    def plural(self):
        return self.name + "s"

    @property
    def field(self):
        """The node's name as a message field, for example `artifact`."""
        return self.name.lower()

    @property
    def fields(self):
        return self.field + "s"


ARTIFACT = Kind("Artifact", pb.Artifact, pb.ArtifactType, "state")
EXECUTION = Kind("Execution", pb.Execution, pb.ExecutionType, "last_known_state")
CONTEXT = Kind("Context", pb.Context, pb.ContextType, None)
KINDS = (ARTIFACT, EXECUTION, CONTEXT)
SIMPLE_TYPES = {
    ARTIFACT: ("mlmd.Dataset", "mlmd.Model", "mlmd.Metrics", "mlmd.Statistics"),
    EXECUTION: ("mlmd.Train", "mlmd.Transform", "mlmd.Process", "mlmd.Evaluate", "mlmd.Deploy"),
    CONTEXT: (),
}
LISTS = {
    "GetArtifacts": ARTIFACT,
    "GetExecutions": EXECUTION,
    "GetContexts": CONTEXT,
    "GetArtifactsByType": ARTIFACT,
    "GetExecutionsByType": EXECUTION,
    "GetContextsByType": CONTEXT,
    "GetArtifactsByContext": ARTIFACT,
    "GetExecutionsByContext": EXECUTION,
}


@dataclass
class Page:
    """The last page of a list call that had a successor."""

    request: Message
    pages: int


@dataclass
class Known:
    """The nodes and types of one kind."""

    declared: dict[int, dict[str, int]] = field(default_factory=dict)  # type id -> property -> PropertyType
    type_names: dict[int, tuple[str, str]] = field(default_factory=dict)  # type id -> (name, version)
    type_of: dict[int, int] = field(default_factory=dict)  # node id -> type id, in order of creation
    names: dict[tuple[int, str], int] = field(default_factory=dict)  # (type id, name) -> node id
    external_ids: dict[str, int] = field(default_factory=dict)  # external id -> node id
    last_read: dict[int, Message] = field(default_factory=dict)


class Model:
    """Types and nodes that exist, nodes as last read, and pages that can be followed."""

    def __init__(self):
        self.of = {kind: Known() for kind in KINDS}
        self.pages: dict[str, Page] = {}
        self.uris: set[str] = set()
        for type_id, name in enumerate(SIMPLE_TYPES[ARTIFACT] + SIMPLE_TYPES[EXECUTION], start=1):
            known = self.of[ARTIFACT if name in SIMPLE_TYPES[ARTIFACT] else EXECUTION]
            known.declared[type_id] = {}
            known.type_names[type_id] = (name, "")

    def observe(self, method, request, answer):
        """Learns from a request and the reference's answer to it."""
        if answer.code:
            return
        response = answer.response
        if method in LISTS:
            self._observe_page(method, request, response)
        if method.startswith("Get"):
            self._observe_nodes(response)
        elif method == "PutTypes":
            for kind in KINDS:
                types = getattr(request, f"{kind.field}_types")
                self._add_types(kind, types, getattr(response, f"{kind.field}_type_ids"))
        elif method == "PutExecution":
            self._add_nodes(EXECUTION, [request.execution], [response.execution_id])
            for pair, artifact_id in zip(request.artifact_event_pairs, response.artifact_ids):
                if pair.HasField("artifact"):
                    self._add_nodes(ARTIFACT, [pair.artifact], [artifact_id])
            self._add_nodes(CONTEXT, request.contexts, response.context_ids)
        else:
            for kind in KINDS:
                if method == f"Put{kind.name}Type":
                    self._add_types(kind, [getattr(request, f"{kind.field}_type")], [response.type_id])
                elif method in (f"Put{kind.plural}", "PutLineageSubgraph"):
                    self._add_nodes(kind, getattr(request, kind.fields), getattr(response, f"{kind.field}_ids"))

    def _add_types(self, kind, types, ids):
        known = self.of[kind]
        for given, type_id in zip(types, ids):
            known.declared.setdefault(type_id, {}).update(given.properties)
            known.type_names[type_id] = (given.name, given.version)

    def _add_nodes(self, kind, nodes, ids):
        known = self.of[kind]
        for node, node_id in zip(nodes, ids):
            type_id = known.type_of.setdefault(node_id, node.type_id)
            if node.HasField("name"):
                known.names[type_id, node.name] = node_id
            if node.HasField("external_id"):
                known.external_ids[node.external_id] = node_id
            if kind is ARTIFACT:
                self.uris.add(node.uri)

    def _observe_page(self, method, request, response):
        previous = self.pages.pop(method, None)
        if response.next_page_token:
            followed = previous is not None and request.options.next_page_token
            self.pages[method] = Page(request, previous.pages + 1 if followed else 1)

    def _observe_nodes(self, response):
        for kind in KINDS:
            single = getattr(response, kind.field, None)
            for node in [single] if single is not None else getattr(response, kind.fields, ()):
                if isinstance(node, kind.node) and node.HasField("type_id"):
                    self.of[kind].last_read[node.id] = node
