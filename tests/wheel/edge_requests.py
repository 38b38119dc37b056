"""Requests that write edges, alone or together with nodes."""
from ml_metadata.proto import metadata_store_pb2 as pb

from choices import set_unknown_enum
from model import ARTIFACT, CONTEXT, EXECUTION, KINDS
from node_requests import NodeRequests
from oracle import request_class
from pools import MISSING_ID, TEXTS


class EdgeRequests(NodeRequests):
    """Makes events, memberships, parents and the two composite writes."""

    def __init__(self, random, model):
        super().__init__(random, model)
        self._last_event = None

    def _fill_path(self, event):
        if self._chance(0.4):
            for _ in range(self._random.randint(0, 3)):
                step = event.path.steps.add()
                if self._chance(0.5):
                    step.index = self._random.choice((0, 1, -1, 2**31 - 1))
                elif self._chance(0.9):
                    step.key = self._random.choice(TEXTS[:6])

    def _fill_event(self, event):
        """Everything but the two ids."""
        if not self._chance(0.015):
            event.type = self._random.randint(0 if self._chance(0.05) else 1, 7)
        elif self._chance(0.5):
            set_unknown_enum(event, "type")
        self._fill_path(event)
        if self._chance(0.3):
            event.milliseconds_since_epoch = self._random.choice((0, 5, 100, -1))
        if self._chance(0.02):
            event.system_metadata.type_url = "type.googleapis.com/x"

    def _put_events(self):
        request = request_class("PutEvents")()
        if self._last_event is not None and self._chance(0.07):
            request.events.add().CopyFrom(self._last_event)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 3))):
            event = request.events.add()
            self._last_event = event
            self._fill_event(event)
            if not self._chance(0.02):
                event.artifact_id = self._node_id(ARTIFACT)
            if not self._chance(0.02):
                event.execution_id = self._node_id(EXECUTION)
        return request

    def _put_memberships(self):
        request = request_class("PutAttributionsAndAssociations")()
        for edges, kind in ((request.attributions, ARTIFACT), (request.associations, EXECUTION)):
            for _ in range(self._random.choice((0, 1, 2))):
                edge = edges.add()
                if not self._chance(0.02):
                    setattr(edge, f"{kind.field}_id", self._node_id(kind))
                if not self._chance(0.02):
                    edge.context_id = self._node_id(CONTEXT)
        return request

    def _put_parent_contexts(self):
        request = request_class("PutParentContexts")()
        for _ in range(self._random.choice((0, 1, 1, 1, 2))):
            edge = request.parent_contexts.add()
            if not self._chance(0.02):
                edge.parent_id = self._node_id(CONTEXT)
            if not self._chance(0.02):
                edge.child_id = self._node_id(CONTEXT)
        return request

    def _fill_reused_artifact(self, artifact):
        """An artifact that may be found by an external id that is in use."""
        known = self.model.of[ARTIFACT]
        self._fill_new(artifact, ARTIFACT)
        if known.external_ids:
            artifact.external_id = self._random.choice(list(known.external_ids))
            type_id = known.type_of[known.external_ids[artifact.external_id]]
            if self._chance(0.85):
                artifact.ClearField("properties")
                artifact.type_id = type_id

    def _fill_contexts(self, contexts, reuse):
        """Contexts of a composite write: mostly found by type and name, some by id, some new."""
        known = self.model.of[CONTEXT]
        updates = sorted(self._node_id(CONTEXT) for _ in range(2) if known.type_of and self._chance(0.2))
        for node_id in updates:
            self._fill_update(contexts.add(), CONTEXT, node_id)
        for _ in range(self._random.choice((0, 0, 1, 1, 2))):
            context = contexts.add()
            self._fill_new(context, CONTEXT)
            if known.names and self._chance(0.7 if reuse else 0.03):
                context.type_id, context.name = self._random.choice(list(known.names)[-15:])
                context.ClearField("properties")

    def _put_execution(self):
        request = request_class("PutExecution")()
        if not self._chance(0.02):
            if self._chance(0.3):
                self._fill_update(request.execution, EXECUTION, self._node_id(EXECUTION))
            else:
                self._fill_new(request.execution, EXECUTION)
        options = request.options
        for flag, probability in (("reuse_context_if_already_exist", 0.6), ("force_update_time", 0.2), ("force_reuse_context", 0.3)):
            if self._chance(probability):
                setattr(options, flag, self._chance(0.9))
        if not self._chance(0.3):
            self._fill_contexts(request.contexts, options.reuse_context_if_already_exist)
        reuse = self._chance(0.2)
        if reuse:
            options.reuse_artifact_if_already_exist_by_external_id = True
            artifact = request.artifact_event_pairs.add().artifact
            self._fill_reused_artifact(artifact)
            if self._chance(0.3):
                request.artifact_event_pairs.add().artifact.CopyFrom(artifact)
        artifacts = pb.LineageGraph().artifacts
        if not reuse:
            self._fill_nodes(artifacts, ARTIFACT, self._random.choice((0, 1, 1, 2, 3)))
        for artifact in artifacts:
            request.artifact_event_pairs.add().artifact.CopyFrom(artifact)
        for pair in request.artifact_event_pairs:
            if self._chance(0.8):
                self._fill_event(pair.event)
                self._set_event_ids(pair.event, request.execution, pair.artifact)
        self._add_event_only_pairs(request)
        return request

    def _set_event_ids(self, event, execution, artifact):
        """Ids in an event may repeat those of its nodes; sometimes they contradict them."""
        if self._chance(0.15) and artifact.HasField("id"):
            event.artifact_id = artifact.id
        if self._chance(0.15) and execution.HasField("id"):
            event.execution_id = execution.id
        if self._chance(0.02):
            event.artifact_id = self._node_id(ARTIFACT)
        if self._chance(0.02):
            event.execution_id = self._node_id(EXECUTION)

    def _add_event_only_pairs(self, request):
        artifact_id = self._existing_id(ARTIFACT)
        if artifact_id is not None and self._chance(0.3):
            event = request.artifact_event_pairs.add().event
            self._fill_event(event)
            if self._chance(0.05):
                event.type = pb.Event.INPUT  # without an artifact it is refused; wholly empty it would be an empty pair
            else:
                event.artifact_id = artifact_id
        if not request.contexts and self._chance(0.05):
            request.artifact_event_pairs.add()

    def _put_lineage_subgraph(self):
        request = request_class("PutLineageSubgraph")()
        self._fill_nodes(request.executions, EXECUTION, self._random.choice((0, 1, 1, 2)))
        if self._chance(0.6):
            request.options.reuse_context_if_already_exist = self._chance(0.9)
        if not self._chance(0.3):
            self._fill_contexts(request.contexts, request.options.reuse_context_if_already_exist)
        if self._chance(0.2):
            request.options.reuse_artifact_if_already_exist_by_external_id = True
            self._fill_reused_artifact(request.artifacts.add())
        else:
            self._fill_nodes(request.artifacts, ARTIFACT, self._random.choice((0, 1, 2, 3)))
        for kind in KINDS:
            for node in getattr(request, kind.fields):
                if not node.HasField("type_id") and self._chance(0.93):
                    node.type_id = self.model.of[kind].type_of.get(node.id, MISSING_ID)
        for _ in range(self._random.choice((0, 1, 2, 3))):
            edge = request.event_edges.add()
            if self._chance(0.99):
                self._fill_event(edge.event)
            self._set_edge_end(edge, "execution", request.executions, EXECUTION)
            self._set_edge_end(edge, "artifact", request.artifacts, ARTIFACT)
        return request

    def _set_edge_end(self, edge, end, nodes, kind):
        """Names one end of an edge by index, by id, or by both."""
        existing = self._existing_id(kind)
        if nodes and self._chance(0.8):
            index = self._random.randrange(len(nodes))
            setattr(edge, f"{end}_index", index if not self._chance(0.02) else self._random.choice((-1, len(nodes), 1000)))
            if self._chance(0.1) and nodes[index].HasField("id"):
                setattr(edge.event, f"{end}_id", nodes[index].id)
            elif existing is not None and self._chance(0.02):
                setattr(edge.event, f"{end}_id", existing)
        elif existing is not None and not self._chance(0.02):
            setattr(edge.event, f"{end}_id", existing)
