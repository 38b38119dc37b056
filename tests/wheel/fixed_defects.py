#!/usr/bin/env python3
"""Asks a server about defects of the reference that we mend on purpose and that a shared stream of requests cannot touch, because the
reference would end, loop, or store something else.

Each check is named after its row in the list of mended defects. It brings its own types and nodes, so the store need not be fresh, but a
check can run only once on a store. `differential.py` runs them all at its end; alone:

    fixed_defects.py --port 8080
"""
import argparse
import sys

from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

from oracle import ALREADY_EXISTS, INVALID_ARGUMENT, OK, Remote, request_class

INT32_MAX = 2**31 - 1


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_refused(answer, code, text=""):
    expect(answer.code == code and text in answer.message, f"wanted code {code} {text!r}, got {answer}")


def artifact_type(store, name, **properties):
    return store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name=name, properties=properties)).type_id


def execution_type(store, name):
    return store.ok("PutExecutionType", execution_type=pb.ExecutionType(name=name)).type_id


def context_type(store, name):
    return store.ok("PutContextType", context_type=pb.ContextType(name=name)).type_id


def put_artifacts(store, artifacts):
    return list(store.ok("PutArtifacts", artifacts=artifacts).artifact_ids)


def get_artifact(store, artifact_id):
    return store.ok("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts[0]


def filtered(store, method, query):
    """The ids that a list method finds."""
    options = pb.ListOperationOptions(filter_query=query, max_result_size=100)
    response = store.ok(method, options=options)
    return [node.id for node in getattr(response, method.removeprefix("Get").lower())]


def expect_filter(store, method, query, ids):
    found = filtered(store, method, query)
    expect(found == ids, f"{query}: wanted {ids}, got {found}")


def pages(store, type_name, **options):
    """Ids of GetArtifactsByType page by page."""
    token = ""
    while True:
        given = pb.ListOperationOptions(next_page_token=token, **options)
        response = store.ok("GetArtifactsByType", type_name=type_name, options=given)
        yield [artifact.id for artifact in response.artifacts]
        token = response.next_page_token
        if not token:
            return


def f2_empty_custom_value(store):
    a, e, c = artifact_type(store, "F2"), execution_type(store, "F2"), context_type(store, "F2")
    empty = {"k": pb.Value()}
    artifact = pb.Artifact(type_id=a, custom_properties=empty)
    execution = pb.Execution(type_id=e, custom_properties=empty)
    context = pb.Context(type_id=c, name="F2", custom_properties=empty)
    requests = {
        "PutArtifacts": {"artifacts": [artifact]},
        "PutExecutions": {"executions": [execution]},
        "PutContexts": {"contexts": [context]},
        "PutExecution": {"execution": execution},
        "PutLineageSubgraph": {"artifacts": [artifact]},
    }
    for method, fields in requests.items():
        expect_refused(store.call(method, request_class(method)(**fields)), INVALID_ARGUMENT, "Found unmatched property type: k")


def f3_exact_doubles(store):
    type_id = artifact_type(store, "F3", d=pb.DOUBLE)
    for number in (0.1234567890123, 1e-7, 2.2250738585072014e-308, 1.7976931348623157e308, -2.5e-300):
        artifact_id = put_artifacts(store, [pb.Artifact(type_id=type_id, properties={"d": pb.Value(double_value=number)})])[0]
        stored = get_artifact(store, artifact_id).properties["d"].double_value
        expect(stored == number, f"{number} came back as {stored}")
    for number in (float("inf"), float("-inf"), float("nan")):
        request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id, properties={"d": pb.Value(double_value=number)})])
        answer = store.call("PutArtifacts", request)
        if answer.code == OK:
            stored = get_artifact(store, answer.response.artifact_ids[0]).properties["d"].double_value
            expect(str(stored) == str(number), f"{number} came back as {stored}")
        else:
            expect_refused(answer, INVALID_ARGUMENT)


def f5_filter_literals(store):
    type_id = artifact_type(store, "F5", **{"it's \"a\" name": pb.INT})
    odd = "it's \"quoted\" \\ and 100%"
    named = pb.Artifact(type_id=type_id, name="name")
    quoted = pb.Artifact(type_id=type_id, name=odd, properties={"it's \"a\" name": pb.Value(int_value=1)})
    first, second = put_artifacts(store, [named, quoted])
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND name = 'name'", [first])
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND uri = 'name'", [])
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND name = 'it\\'s \"quoted\" \\\\ and 100%'", [second])
    expect_filter(store, "GetArtifacts", f'type_id = {type_id} AND name LIKE "it\'s%100_"', [second])
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND properties.`it's \"a\" name`.int_value = 1", [second])
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND name = 'state = FOO'", [])


def f6_letter_case(store):
    type_id = artifact_type(store, "F6", MyProp=pb.INT)
    first = put_artifacts(store, [pb.Artifact(type_id=type_id, properties={"MyProp": pb.Value(int_value=1)})])[0]
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND properties.MyProp.int_value = 1", [first])
    expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND properties.myprop.int_value = 1", [])
    kind = context_type(store, "F6")
    contexts = store.ok("PutContexts", contexts=[pb.Context(type_id=kind, name=name) for name in ("one", "two")]).context_ids
    attributions = [pb.Attribution(artifact_id=first, context_id=context) for context in contexts]
    store.ok("PutAttributionsAndAssociations", attributions=attributions)
    two_aliases = f"contexts_A.id = {contexts[0]} AND contexts_a.id = {contexts[1]}"
    expect_filter(store, "GetArtifacts", two_aliases, [first])


def f7_pages_by_update_time(store):
    type_id = artifact_type(store, "F7")
    ids = put_artifacts(store, [pb.Artifact(type_id=type_id) for _ in range(10)])
    for ascending in (True, False):
        order = pb.ListOperationOptions.OrderByField(field=pb.ListOperationOptions.OrderByField.LAST_UPDATE_TIME, is_asc=ascending)
        found = []
        for page in pages(store, "F7", order_by_field=order, max_result_size=3):
            found += page
            expect(len(found) <= len(ids), f"rows repeat: {found}")
        expect(found == (ids if ascending else ids[::-1]), f"ascending {ascending}: {found}")


def f8_page_cap(store):
    type_id = artifact_type(store, "F8")
    ids = put_artifacts(store, [pb.Artifact(type_id=type_id) for _ in range(205)])
    for size in (101, 150, INT32_MAX):
        found = list(pages(store, "F8", max_result_size=size))
        expect([len(page) for page in found] == [100, 100, 5], f"size {size}: pages of {[len(page) for page in found]}")
        expect(sum(found, []) == ids, f"size {size}: not every row once")


def f10_same_name_typed_and_custom(store):
    type_id = artifact_type(store, "F10", n=pb.INT)
    one, two = pb.Value(int_value=1), pb.Value(int_value=2)
    artifact_id = put_artifacts(store, [pb.Artifact(type_id=type_id, properties={"n": one}, custom_properties={"n": one})])[0]
    put_artifacts(store, [pb.Artifact(id=artifact_id, type_id=type_id, properties={"n": two}, custom_properties={"n": one})])
    stored = get_artifact(store, artifact_id)
    expect(stored.properties["n"] == two and stored.custom_properties["n"] == one, f"after the update: {stored}")
    put_artifacts(store, [pb.Artifact(id=artifact_id, type_id=type_id, properties={"n": two})])
    stored = get_artifact(store, artifact_id)
    expect(stored.properties["n"] == two and not stored.custom_properties, f"after the deletion: {stored}")


def f12_unique_violation_of_update(store):
    type_id = artifact_type(store, "F12")
    first = put_artifacts(store, [pb.Artifact(type_id=type_id, external_id="F12a"), pb.Artifact(type_id=type_id, external_id="F12b")])[0]
    update = pb.Artifact(id=first, type_id=type_id, external_id="F12b")
    expect_refused(store.call("PutArtifacts", service.PutArtifactsRequest(artifacts=[update])), ALREADY_EXISTS)
    kind = context_type(store, "F12")
    contexts = store.ok("PutContexts", contexts=[pb.Context(type_id=kind, name=name) for name in ("one", "two")]).context_ids
    rename = pb.Context(id=contexts[0], type_id=kind, name="two")
    expect_refused(store.call("PutContexts", service.PutContextsRequest(contexts=[rename])), ALREADY_EXISTS)
    store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="F12", external_id="F12"))
    taken = pb.ContextType(name="F12 other", external_id="F12")
    expect_refused(store.call("PutContextType", service.PutContextTypeRequest(context_type=taken)), ALREADY_EXISTS)


def f14_dangling_edges(store):
    e, c = execution_type(store, "F14"), context_type(store, "F14")
    request = service.PutExecutionRequest(execution=pb.Execution(type_id=e), contexts=[pb.Context(type_id=c, name="F14")])
    request.artifact_event_pairs.add()
    answer = store.call("PutExecution", request)
    expect(answer.code == OK and list(answer.response.artifact_ids) == [-1], str(answer))
    context_id = answer.response.context_ids[0]
    expect(not store.ok("GetArtifactsByContext", context_id=context_id).artifacts, "an artifact that does not exist is attributed")

    missing = pb.Event(artifact_id=987654321, type=pb.Event.INPUT)
    request = service.PutExecutionRequest(execution=pb.Execution(type_id=e))
    request.artifact_event_pairs.add(event=missing)
    expect_refused(store.call("PutExecution", request), INVALID_ARGUMENT, "No artifact with the given id 987654321")
    request = service.PutLineageSubgraphRequest(executions=[pb.Execution(type_id=e)])
    request.event_edges.add(execution_index=0, event=missing)
    expect_refused(store.call("PutLineageSubgraph", request), INVALID_ARGUMENT)


def f15_enum_predicates(store):
    a, e, c = artifact_type(store, "F15"), execution_type(store, "F15"), context_type(store, "F15")
    states = (pb.Artifact.LIVE, pb.Artifact.ABANDONED, pb.Artifact.REFERENCE)
    with_state = [pb.Artifact(type_id=a, state=state) for state in states]
    live, abandoned, reference, unset = put_artifacts(store, [*with_state, pb.Artifact(type_id=a)])
    for query, ids in {
        "state = ABANDONED": [abandoned],
        "state IN (ABANDONED, REFERENCE)": [abandoned, reference],
        "state IN(LIVE)": [live],
        "state <> LIVE": [abandoned, reference, unset],
        "state != ABANDONED": [live, reference, unset],
    }.items():
        expect_filter(store, "GetArtifacts", f"type_id = {a} AND {query}", ids)
    execution = store.ok("PutExecutions", executions=[pb.Execution(type_id=e)]).execution_ids[0]
    kinds = {live: pb.Event.PENDING_OUTPUT, abandoned: pb.Event.INPUT}
    events = [pb.Event(artifact_id=artifact, execution_id=execution, type=kind) for artifact, kind in kinds.items()]
    store.ok("PutEvents", events=events)
    expect_filter(store, "GetArtifacts", f"type_id = {a} AND events_0.type = PENDING_OUTPUT", [live])
    context = store.ok("PutContexts", contexts=[pb.Context(type_id=c, name="F15")]).context_ids[0]
    store.ok("PutAttributionsAndAssociations", attributions=[pb.Attribution(artifact_id=abandoned, context_id=context)])
    expect_filter(store, "GetContexts", f"type_id = {c} AND artifacts_a.state != LIVE", [context])


def f16_every_declared_column(store):
    a, e, c = artifact_type(store, "F16"), execution_type(store, "F16"), context_type(store, "F16")
    artifact = put_artifacts(store, [pb.Artifact(type_id=a, external_id="F16a")])[0]
    execution = store.ok("PutExecutions", executions=[pb.Execution(type_id=e, external_id="F16e")]).execution_ids[0]
    parent, child = store.ok("PutContexts", contexts=[pb.Context(type_id=c, name=name) for name in ("parent", "child")]).context_ids
    store.ok(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(artifact_id=artifact, context_id=parent)],
        associations=[pb.Association(execution_id=execution, context_id=child)],
    )
    store.ok("PutParentContexts", parent_contexts=[pb.ParentContext(parent_id=parent, child_id=child)])
    expect_filter(store, "GetContexts", "artifacts_a.external_id = 'F16a'", [parent])
    expect_filter(store, "GetContexts", "executions_a.external_id = 'F16e'", [child])
    expect_filter(store, "GetContexts", f"type_id = {c} AND parent_contexts_a.create_time_since_epoch > 0", [child])
    expect_filter(store, "GetContexts", f"type_id = {c} AND child_contexts_a.last_update_time_since_epoch > 0", [parent])


def f17_f18_filters_of_every_database(store):
    type_id = artifact_type(store, "F18", n=pb.INT, d=pb.DOUBLE)
    properties = {"n": pb.Value(int_value=1), "d": pb.Value(double_value=1.5)}
    first = put_artifacts(store, [pb.Artifact(type_id=type_id, properties=properties)])[0]
    for query in ("properties.n.int_value = 1.0", "properties.d.double_value > 1", "properties.n.int_value IN (1, NULL)", "id / 1 > 0"):
        expect_filter(store, "GetArtifacts", f"type_id = {type_id} AND {query}", [first])
    options = pb.ListOperationOptions(filter_query=f"type_id = {type_id}")
    options.order_by_field.field = pb.ListOperationOptions.OrderByField.LAST_UPDATE_TIME
    found = [artifact.id for artifact in store.ok("GetArtifacts", options=options).artifacts]
    expect(found == [first], f"filter and order by update time: {found}")


def f19_types_with_all_fields(store):
    store.ok("PutArtifactType", artifact_type=pb.ArtifactType(name="F19", external_id="F19a"))
    store.ok("PutExecutionType", execution_type=pb.ExecutionType(name="F19", external_id="F19e"))
    store.ok("PutContextType", context_type=pb.ContextType(name="F19", external_id="F19c"))
    answers = {
        "F19a": store.ok("GetArtifactTypes").artifact_types,
        "F19e": store.ok("GetExecutionTypes").execution_types,
        "F19c": store.ok("GetContextTypes").context_types,
    }
    for external_id, types in answers.items():
        found = [given.external_id for given in types if given.name == "F19"]
        expect(found == [external_id], f"wanted {external_id}, got {found}")


def f22_null_marker_and_nul(store):
    type_id = artifact_type(store, "F22", s=pb.STRING)
    marker = pb.Value(string_value="__MLMD_NULL__")
    artifact_id = put_artifacts(store, [pb.Artifact(type_id=type_id, properties={"s": marker})])[0]
    stored = get_artifact(store, artifact_id).properties["s"].string_value
    expect(stored == marker.string_value, f"the null marker came back as {stored!r}")
    nul = pb.Artifact(type_id=type_id, properties={"s": pb.Value(string_value="left\0right")})
    answer = store.call("PutArtifacts", service.PutArtifactsRequest(artifacts=[nul]))
    if answer.code == OK:
        stored = get_artifact(store, answer.response.artifact_ids[0]).properties["s"].string_value
        expect(stored in ("left", "left\0right"), f"a string with NUL came back as {stored!r}")
    else:
        expect_refused(answer, INVALID_ARGUMENT)


def f28_unserved_methods(store):
    c = context_type(store, "F28")
    ids = store.ok("PutContexts", contexts=[pb.Context(type_id=c, name=name) for name in ("p", "q", "child", "alone")]).context_ids
    p, q, child, alone = ids
    store.ok("PutParentContexts", parent_contexts=[pb.ParentContext(parent_id=parent, child_id=child) for parent in (p, q)])
    parents = store.ok("GetParentContextsByContexts", context_ids=ids).contexts
    found = {key: [node.id for node in parents[key].parent_contexts] for key in parents}
    expect(found == {child: [p, q]}, f"parents: {parents}")
    single = store.ok("GetParentContextsByContext", context_id=child).contexts
    expect(list(parents[child].parent_contexts) == list(single), "the batch call and the single call differ")
    children = store.ok("GetChildrenContextsByContexts", context_ids=[p, q, alone, p]).contexts
    found = {key: [node.id for node in children[key].children_contexts] for key in children}
    expect(found == {p: [child], q: [child]}, f"children: {children}")
    for method in ("GetParentContextsByContexts", "GetChildrenContextsByContexts"):
        expect_refused(store.call(method, request_class(method)()), INVALID_ARGUMENT, "Given context_ids is empty.")

    a, e = artifact_type(store, "F28"), execution_type(store, "F28")
    first, second = put_artifacts(store, [pb.Artifact(type_id=a, name=name) for name in ("one", "two")])
    execution = store.ok("PutExecutions", executions=[pb.Execution(type_id=e)]).execution_ids[0]
    ends = ((first, pb.Event.INPUT), (second, pb.Event.OUTPUT))
    store.ok("PutEvents", events=[pb.Event(artifact_id=artifact, execution_id=execution, type=kind) for artifact, kind in ends])
    request = service.GetLineageGraphRequest()
    request.options.artifacts_options.filter_query = f"id = {first}"
    request.options.stop_conditions.max_num_hops = 2
    answer = store.call("GetLineageGraph", request)
    expect(answer.code == OK, str(answer))
    graph = answer.response.subgraph
    found = sorted((artifact.id, artifact.name) for artifact in graph.artifacts)
    expect(found == [(first, "one"), (second, "two")], f"artifacts of the lineage graph: {found}")
    expect([node.id for node in graph.executions] == [execution] and len(graph.events) == 2, f"lineage graph: {graph}")


CHECKS = (
    f2_empty_custom_value,
    f3_exact_doubles,
    f5_filter_literals,
    f6_letter_case,
    f7_pages_by_update_time,
    f8_page_cap,
    f10_same_name_typed_and_custom,
    f12_unique_violation_of_update,
    f14_dangling_edges,
    f15_enum_predicates,
    f16_every_declared_column,
    f17_f18_filters_of_every_database,
    f19_types_with_all_fields,
    f22_null_marker_and_nul,
    f28_unserved_methods,
)


def check_all(store, checks=CHECKS):
    """Runs the checks against a server, prints a line for each, and returns how many failed."""
    failed = 0
    print("\ndefects of the reference that are mended")
    for check in checks:
        try:
            check(store)
        except Exception as error:  # a check that breaks in any way must not hide the others
            failed += 1
            print(f"FAILED {check.__name__}: {error}")
        else:
            print(f"    ok {check.__name__}")
    return failed


def main():
    parser = argparse.ArgumentParser(description="Ask a server about mended defects of the reference.")
    parser.add_argument("--port", type=int, required=True)
    return 1 if check_all(Remote(parser.parse_args().port)) else 0


if __name__ == "__main__":
    sys.exit(main())
