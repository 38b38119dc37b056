"""A store that has something of everything: every kind of value, type, node and edge."""
from google.protobuf import text_format
from ml_metadata.proto import metadata_store_pb2 as pb

TEXTS = ("plain", "", "größe 漢字 😀", "it's \"quoted\", 100% `tick`", "line\nbreak\ttab", "a" * 5000)
BACKSLASH = "back\\slash"
NARROW_INTEGERS = (0, 1, -1, 2**31 - 1, -(2**31))
WIDE_INTEGERS = (2**31, 2**53 + 1, 2**63 - 1, -(2**63))
DOUBLES = (0.0, 0.5, -1.25, 1000000.000001, 123456789.5)  # each survives the six decimals of the wheel
PROPERTY_TYPES = {
    "int": pb.INT,
    "double": pb.DOUBLE,
    "string": pb.STRING,
    "struct": pb.STRUCT,
    "proto": pb.PROTO,
    "bool": pb.BOOLEAN,
    "größe": pb.STRING,
}
STRUCT_TYPES = (
    "simple { name: 'Data' properties { key: 'int' value: INT } }",
    "union_type { candidates { simple { name: 'Data' } } candidates { none {} } }",
    "intersection { constraints { simple { name: 'größe' } } constraints { any {} } }",
    "list { element { simple { name: 'Data' version: 'v1' } } }",
    "none {}",
    "any {}",
    "tuple { elements { any {} } elements { list { element { any {} } } } }",
    "dict { properties { key: 'k' value { any {} } } none_type_not_required: true extra_properties_type { none {} } }",
)


def build(store, portable=False, old=False):
    """Writes the store. `portable` leaves out what the wheel cannot store in MySQL and PostgreSQL: integers of more than 32 bits and
    backslashes. `old` leaves out the values that schema versions before 10 have no column for, bool and proto: a downgrade would empty
    their rows, and the wheel cannot read those rows after an upgrade."""
    dropped = ("bool_value", "proto_value") if old else ()
    integers = NARROW_INTEGERS if portable else NARROW_INTEGERS + WIDE_INTEGERS
    texts = TEXTS if portable else (*TEXTS, BACKSLASH)
    data, bare = _artifact_types(store)
    steps = _execution_types(store)
    run, pipeline = _context_types(store)
    artifacts = store.ok("PutArtifacts", artifacts=_without(dropped, _artifacts(data, bare, integers, texts))).artifact_ids
    executions = store.ok("PutExecutions", executions=_without(dropped, _executions(steps))).execution_ids
    contexts = store.ok("PutContexts", contexts=_without(dropped, _contexts(run, pipeline))).context_ids
    _edges(store, artifacts, executions, contexts)
    _composite_writes(store, data, steps[0], run)
    _updates(store, data, artifacts)


def _without(dropped, nodes):
    """The nodes without the properties whose value is of a dropped kind."""
    for node in nodes:
        for properties in (node.properties, node.custom_properties):
            for name in [name for name, value in properties.items() if value.WhichOneof("value") in dropped]:
                del properties[name]
    return nodes


def _artifact_types(store):
    def put(**fields):
        return store.ok("PutArtifactType", artifact_type=pb.ArtifactType(**fields), can_add_fields=True).type_id

    data = put(name="Data", description="größe 漢字", external_id="type-data", properties=PROPERTY_TYPES)
    put(name="Data", version="v1", base_type=pb.ArtifactType.DATASET, properties={"int": pb.INT})
    put(name="Data", version="v1", base_type=pb.ArtifactType.DATASET, properties={"int": pb.INT, "added": pb.STRING})
    put(name="Model", version="größe", base_type=pb.ArtifactType.MODEL, external_id="")
    return data, put(name="Größe")


def _execution_types(store):
    def put(**fields):
        return store.ok("PutExecutionType", execution_type=pb.ExecutionType(**fields)).type_id

    steps = [put(name="Step", properties=PROPERTY_TYPES, base_type=pb.ExecutionType.TRAIN, external_id="type-step")]
    for number, text in enumerate(STRUCT_TYPES):
        shape = text_format.Parse(text, pb.ArtifactStructType())
        steps.append(put(name=f"Step {number}", version="v1", description="", input_type=shape, output_type=shape))
    return steps


def _context_types(store):
    def put(**fields):
        return store.ok("PutContextType", context_type=pb.ContextType(**fields)).type_id

    run = put(name="Run", properties=PROPERTY_TYPES, external_id="type-run")
    return run, put(name="Data", version="v1", description="a pipeline")


def _struct_value(text):
    value = pb.Value()
    value.struct_value.update({"text": text, "list": [1, None, True, {"deep": 0.5}], "": {}})
    return value


def _proto_value(content):
    value = pb.Value()
    value.proto_value.type_url = "type.googleapis.com/example.Größe"
    value.proto_value.value = content
    return value


def _artifacts(data, bare, integers, texts):
    """One artifact for each value, each both as a typed and as a custom property."""
    values = [("int", pb.Value(int_value=number)) for number in integers]
    values += [("double", pb.Value(double_value=number)) for number in DOUBLES]
    values += [("string", pb.Value(string_value=text)) for text in texts]
    values += [("struct", _struct_value(text)) for text in texts]
    values += [("struct", pb.Value(struct_value={}))]
    values += [("proto", _proto_value(content)) for content in (b"", b"\x08\x01", bytes(range(256)))]
    values += [("bool", pb.Value(bool_value=truth)) for truth in (True, False)]
    nodes = [pb.Artifact(type_id=data, properties={name: value}, custom_properties={name: value}) for name, value in values]
    nodes += [pb.Artifact(type_id=data, name=f"state {state}", state=state, uri=f"gs://b/{state}") for state in range(7)]
    nodes += [
        pb.Artifact(type_id=bare),
        pb.Artifact(type_id=bare, name="", uri="", external_id=""),
        pb.Artifact(type_id=bare, name="größe 漢字 😀", uri="file:///a b%20c/größe", external_id="ext-größe"),
        pb.Artifact(type_id=data, name="größe 漢字 😀", custom_properties={"größe: 漢字 x.y": pb.Value(int_value=1)}),
    ]
    return nodes


def _executions(steps):
    nodes = [pb.Execution(type_id=steps[0], name=f"state {state}", last_known_state=state) for state in range(7)]
    nodes += [pb.Execution(type_id=step) for step in steps]
    nodes[0].properties["bool"].bool_value = False
    nodes[1].properties["struct"].CopyFrom(_struct_value("größe"))
    nodes[2].custom_properties["proto"].CopyFrom(_proto_value(b"\x00\xff"))
    nodes[3].external_id = "ext-execution"
    return nodes


def _contexts(run, pipeline):
    nodes = [pb.Context(type_id=pipeline, name=f"pipeline {number}") for number in range(3)]
    nodes += [pb.Context(type_id=run, name=f"größe {number}", external_id=f"ext-context-{number}") for number in range(4)]
    nodes[3].properties["double"].double_value = 0.5
    nodes[4].properties["proto"].CopyFrom(_proto_value(b"x"))
    nodes[5].custom_properties["struct"].CopyFrom(_struct_value(""))
    return nodes


def _edges(store, artifacts, executions, contexts):
    kinds = range(1, 8)
    events = [pb.Event(artifact_id=artifacts[kind], execution_id=executions[kind % 3], type=kind) for kind in kinds]
    events[0].path.steps.add().index = 7
    events[0].path.steps.add().key = "größe 漢字"
    events[0].path.steps.add().index = 0
    events[1].path.steps.add().key = ""
    events[2].path.SetInParent()
    events[3].milliseconds_since_epoch = 5
    events.append(pb.Event(artifact_id=artifacts[1], execution_id=executions[1], type=pb.Event.INPUT, milliseconds_since_epoch=0))
    store.ok("PutEvents", events=events)
    store.ok(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(artifact_id=artifact, context_id=context) for artifact in artifacts[:5] for context in contexts[:3]],
        associations=[pb.Association(execution_id=execution, context_id=contexts[-1]) for execution in executions],
    )
    first, second, third = contexts[:3]
    parents = [(first, second), (first, third), (second, third)]
    store.ok("PutParentContexts", parent_contexts=[pb.ParentContext(parent_id=parent, child_id=child) for parent, child in parents])


def _composite_writes(store, data, step, run):
    context = pb.Context(type_id=run, name="of an execution")
    pair = {"artifact": pb.Artifact(type_id=data, external_id="reused"), "event": pb.Event(type=pb.Event.OUTPUT)}
    options = {"reuse_context_if_already_exist": True, "reuse_artifact_if_already_exist_by_external_id": True}
    for name in ("first", "second"):
        execution = pb.Execution(type_id=step, name=name)
        store.ok("PutExecution", execution=execution, artifact_event_pairs=[pair], contexts=[context], options=options)
    store.ok(
        "PutLineageSubgraph",
        executions=[pb.Execution(type_id=step, name="of a subgraph")],
        artifacts=[pb.Artifact(type_id=data, name="of a subgraph"), pb.Artifact(type_id=data)],
        contexts=[context],
        event_edges=[{"execution_index": 0, "artifact_index": index, "event": pb.Event(type=pb.Event.OUTPUT)} for index in (0, 1)],
        options={"reuse_context_if_already_exist": True},
    )


def _updates(store, data, artifacts):
    """One artifact made anew, another with some fields masked. Both properties named `int` go, because the wheel cannot remove one alone."""
    changed = pb.Artifact(id=artifacts[0], type_id=data, uri="gs://changed", properties={"string": pb.Value(string_value="new")})
    store.ok("PutArtifacts", artifacts=[changed])
    masked = pb.Artifact(id=artifacts[1], type_id=data, state=pb.Artifact.LIVE, custom_properties={"a.b": pb.Value(int_value=1)})
    paths = ["state", "custom_properties.a.b", "properties.int", "custom_properties.int"]
    store.ok("PutArtifacts", artifacts=[masked], update_mask={"paths": paths})
