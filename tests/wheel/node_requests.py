"""Requests that write nodes."""
from ml_metadata.proto import metadata_store_pb2 as pb

from choices import Choices, set_unknown_enum
from model import ARTIFACT, CONTEXT
from oracle import request_class
from pools import (
    CURRENT_TIME,
    CUSTOM_NAMES,
    DOUBLES,
    INTEGERS,
    LONGEST_NAME,
    MASK_PATHS,
    MISSING_ID,
    TEXTS,
    TYPE_NAMES,
    URIS,
    VALUE_FIELD,
)


class NodeRequests(Choices):
    """Makes artifacts, executions and contexts, new ones and updates.

    Nodes that one request updates come in ascending id, updates before creations. Otherwise their order by last update time would depend
    on whether a clock ticked in between.
    """

    def _fill_value(self, value, property_type):
        random_ = self._random
        if property_type == pb.INT:
            value.int_value = random_.choice(INTEGERS)
        elif property_type == pb.DOUBLE:
            value.double_value = random_.choice(DOUBLES)
        elif property_type == pb.STRING:
            value.string_value = random_.choice(TEXTS)
        elif property_type == pb.BOOLEAN:
            value.bool_value = self._chance(0.5)
        elif property_type == pb.STRUCT:
            value.struct_value.SetInParent()
            if self._chance(0.8):
                value.struct_value.update({"k": random_.choice(TEXTS), "list": [1, None, True, {"deep": 0.5}]})
        else:
            value.proto_value.type_url = "type.googleapis.com/" + random_.choice(("example.Thing", "größe"))
            value.proto_value.value = random_.choice((b"", b"\x08\x01", b"\x00\xff"))

    def _fill_properties(self, node, declared):
        random_ = self._random
        for name in random_.sample(list(declared), random_.randint(0, min(3, len(declared)))):
            if declared[name] in VALUE_FIELD:
                self._fill_value(node.properties[name], declared[name])
        if self._chance(0.02):
            self._fill_value(node.properties[random_.choice(("undeclared", "n", "s"))], random_.choice(list(VALUE_FIELD)))
        elif self._chance(0.01):
            node.properties[random_.choice(("undeclared", "n", "s"))].SetInParent()
        for name in random_.sample(list(CUSTOM_NAMES), random_.choice((0, 0, 1, 2))):
            usual = self._chance(0.8)
            self._fill_value(node.custom_properties[name], CUSTOM_NAMES[name] if usual else random_.choice(list(VALUE_FIELD)))

    def _fill_fields(self, node, kind):
        """Everything but id, type_id, name and properties."""
        random_ = self._random
        if self._chance(0.15):
            node.external_id = self._external_id(kind)
        if kind is ARTIFACT and self._chance(0.6):
            node.uri = random_.choice(URIS) if self._chance(0.8) else f"gs://b/{self._fresh_name()}"
        if kind.state_field and self._chance(0.6):
            setattr(node, kind.state_field, random_.randint(0, 6))
        elif kind.state_field and self._chance(0.05):
            set_unknown_enum(node, kind.state_field)
        if self._chance(0.05):
            node.type = random_.choice(TYPE_NAMES[kind])
        if self._chance(0.03):
            node.system_metadata.type_url = "type.googleapis.com/x"
        if self._chance(0.05):
            node.create_time_since_epoch = 1234
            node.last_update_time_since_epoch = 1234

    def _fill_new(self, node, kind):
        type_id = self._type_id(kind)
        node.type_id = type_id if not self._chance(0.015) else self._random.choice((MISSING_ID, 0, 10, 14, 17))
        if self._chance(0.007):
            node.ClearField("type_id")
        names = list(self.model.of[kind].names)
        if kind is CONTEXT or self._chance(0.7):
            node.name = self._fresh_name() if not names or self._chance(0.97) else self._random.choice(names)[1]
        if self._chance(0.01):
            node.name = self._random.choice(("", "größe", "x" * LONGEST_NAME))
        elif self._chance(0.005):
            node.ClearField("name")
        self._fill_fields(node, kind)
        self._fill_properties(node, self.model.of[kind].declared.get(type_id, {}))

    def _fill_update(self, node, kind, node_id):
        """An update of `node_id`: the node as last read, changed a little or not at all, or a node made up from nothing."""
        known = self.model.of[kind]
        declared = known.declared.get(known.type_of.get(node_id), {})
        read = known.last_read.get(node_id)
        if read is not None and self._chance(0.6):
            node.CopyFrom(read)
            if self._chance(0.3):
                node.ClearField("create_time_since_epoch")
                node.ClearField("last_update_time_since_epoch")
            if self._chance(0.3):
                node.ClearField(self._random.choice(("type", "type_id", "name", "external_id", "properties", "custom_properties")))
            if self._chance(0.3):
                self._fill_fields(node, kind)
            if self._chance(0.4):
                self._fill_properties(node, declared)
            return
        node.id = node_id
        if self._chance(0.6):
            node.type_id = known.type_of.get(node_id, MISSING_ID) if self._chance(0.95) else 10
        if self._chance(0.8 if kind is CONTEXT else 0.3):
            node.name = self._fresh_name()
        self._fill_fields(node, kind)
        self._fill_properties(node, declared)

    def _fill_nodes(self, nodes, kind, count):
        """Adds updates by ascending id, then new nodes."""
        updates = sorted(self._node_id(kind) for _ in range(count) if self._chance(0.45))
        if not self.model.of[kind].type_of:
            updates = []
        for node_id in updates:
            self._fill_update(nodes.add(), kind, node_id)
        for _ in range(count - len(updates)):
            self._fill_new(nodes.add(), kind)

    def _put_nodes(self, kind):
        request = request_class(f"Put{kind.plural}")()
        nodes = getattr(request, kind.fields)
        self._fill_nodes(nodes, kind, self._random.choice((0, 1, 1, 1, 2, 3)))
        if self._chance(0.3):
            request.update_mask.paths.extend(self._random.sample(MASK_PATHS, self._random.randint(0, 4)))
        if kind is ARTIFACT and self._chance(0.25):
            request.options.abort_if_latest_updated_time_changed = self._chance(0.9)
            for node in nodes:
                node.last_update_time_since_epoch = CURRENT_TIME if self._chance(0.8) else 1234
        return request
