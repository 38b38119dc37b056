"""The small pools of names and values from which requests are made."""
from ml_metadata.proto import metadata_store_pb2 as pb

from model import ARTIFACT, CONTEXT, EXECUTION

PREVIOUS_TOKEN = "@previous"  # stands for the page token that the same side gave in its last answer to this method
CURRENT_TIME = -7  # as last_update_time_since_epoch of an artifact: stands for the side's stored value
UNKNOWN_ENUM = 99
MISSING_ID = 1_000_000
LONGEST_NAME = 255  # characters, in databases other than SQLite
PROPERTY_TYPES = {
    "n": pb.INT,
    "d": pb.DOUBLE,
    "s": pb.STRING,
    "st": pb.STRUCT,
    "pr": pb.PROTO,
    "b": pb.BOOLEAN,
    "my prop": pb.STRING,
    "a.b": pb.INT,
}
VALUE_FIELD = {
    pb.INT: "int_value",
    pb.DOUBLE: "double_value",
    pb.STRING: "string_value",
    pb.STRUCT: "struct_value",
    pb.PROTO: "proto_value",
    pb.BOOLEAN: "bool_value",
}
CUSTOM_NAMES = {
    "ci": pb.INT,
    "cd": pb.DOUBLE,
    "cs": pb.STRING,
    "cb": pb.BOOLEAN,
    "c st": pb.STRUCT,
    "k:l m": pb.PROTO,
    "ключ": pb.STRING,
}
TYPE_NAMES = {
    ARTIFACT: ("Data", "Report", "Größe", "shared"),
    EXECUTION: ("Step", "Job", "shared"),
    CONTEXT: ("Run", "Pipe", "shared"),
}
BASE_TYPES = {ARTIFACT: (1, 2, 3, 4), EXECUTION: (1, 2, 3, 4, 5), CONTEXT: ()}
INTEGERS = (0, 1, 2, 3, 10, -3, 2**31 - 1, -(2**31), 2**31, 2**40, 2**63 - 1, -(2**63))
DOUBLES = (0.0, 0.5, -1.25, 3.0, 1000.75, 1e15)
TEXTS = ("alpha", "beta", "gamma", "größe", "漢字", "😀", "", "line\nbreak", "it's \"quoted\"", "tab\tback\\slash", "x" * 400)
URIS = ("gs://b/1", "gs://b/2", "gs://b/3", "s3://c/1", "", "größe", "file:///a b%20c")
STRUCT_SHAPES = ("simple", "none", "any", "list", "union", "intersection", "tuple", "dict")
TOKENS = ("", "!!!", "CAMQAxoCCAM", "CAYQBhoCCAM=", "____", "CAUQBRoGCAMSAhAA", "EAUaBBICCAI")  # golden ones among broken ones
MASK_PATHS = (
    "uri",
    "state",
    "last_known_state",
    "external_id",
    "name",
    "id",
    "type",
    "type_id",
    "create_time_since_epoch",
    "last_update_time_since_epoch",
    "properties",
    "custom_properties",
    "properties.n",
    "properties.s",
    "properties.a.b",
    "properties.my prop",
    "properties.undeclared",
    "custom_properties.cs",
    "custom_properties.ci",
    "custom_properties.k:l m",
    "properties.n.int_value",
    "nonexist",
    "",
)
READ_MASK_PATHS = (
    "artifacts",
    "executions",
    "contexts",
    "events",
    "attributions",
    "associations",
    "artifact_types",
    "execution_types",
    "context_types",
    "parent_contexts",
    "artifacts.id",
    "nonexist",
)
