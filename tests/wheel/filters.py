"""Random filter queries: mostly valid ones that select something, some that must be rejected.

The queries keep to what the reference answers rightly on SQLite. Not composed here, because the reference has a defect there: string
literals that equal a column name or hold quotes or backslashes, property names with capital letters, LIKE across letter case.
`fixed_defects` asks the server about those.
"""
from model import ARTIFACT, CONTEXT, EXECUTION

ARTIFACT_STATES = ("UNKNOWN", "PENDING", "LIVE", "MARKED_FOR_DELETION", "DELETED")
EXECUTION_STATES = ("UNKNOWN", "NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED")
EVENT_TYPES = ("INPUT", "OUTPUT", "DECLARED_INPUT", "DECLARED_OUTPUT", "INTERNAL_INPUT", "INTERNAL_OUTPUT")
COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")
COMBINATIONS = (
    "{} AND {}",
    "{} and {}",
    "{} OR {}",
    "({}) AND ({})",
    "({} OR {})",
    "NOT ({} AND {})",
    "NOT {} OR {}",
    "{}\n AND /* x */ {} -- end",
)

INTEGER, STRING, TIME = "integer", "string", "time"
PLAIN = {
    "id": INTEGER,
    "type_id": INTEGER,
    "create_time_since_epoch": TIME,
    "last_update_time_since_epoch": TIME,
    "name": STRING,
    "type": STRING,
    "external_id": STRING,
}
NEIGHBOUR_OF_NODE = {"id": INTEGER, "name": STRING, "type": STRING, "create_time_since_epoch": TIME, "last_update_time_since_epoch": TIME}
EVENT = {"type": EVENT_TYPES, "milliseconds_since_epoch": INTEGER}
RELATIVE = {"id": INTEGER, "name": STRING, "type": STRING}
ATTRIBUTES = {
    ARTIFACT: PLAIN | {"uri": STRING, "state": ARTIFACT_STATES},
    EXECUTION: PLAIN | {"last_known_state": EXECUTION_STATES},
    CONTEXT: PLAIN,
}
NEIGHBOURS = {
    ARTIFACT: {"contexts": NEIGHBOUR_OF_NODE, "events": EVENT | {"execution_id": INTEGER}},
    EXECUTION: {"contexts": NEIGHBOUR_OF_NODE, "events": EVENT | {"artifact_id": INTEGER}},
    CONTEXT: {
        "parent_contexts": RELATIVE,
        "child_contexts": RELATIVE,
        "artifacts": NEIGHBOUR_OF_NODE | {"uri": STRING},
        "executions": NEIGHBOUR_OF_NODE,
    },
}
PROPERTIES = ("n", "d", "s", "b", "st", "my prop", "a.b", "nowhere")
CUSTOM_PROPERTIES = ("ci", "cd", "cs", "cb", "c st", "k:l m", "ключ")
VALUE_FIELDS = {"int_value": INTEGER, "double_value": "double", "string_value": STRING, "bool_value": "bool"}
USUAL_FIELD = {"n": "int_value", "ci": "int_value", "d": "double_value", "cd": "double_value", "b": "bool_value", "cb": "bool_value"}
SUPERSET = {  # the reference rejects these; what they mean is asked in `fixed_defects`
    ARTIFACT: ("state = ABANDONED", "state IN (LIVE, REFERENCE)", "state <> LIVE", "state IN(LIVE)", "events_a.type = PENDING_OUTPUT"),
    EXECUTION: ("last_known_state <> RUNNING", "last_known_state IN(RUNNING)", "events_a.type != PENDING_OUTPUT"),
    CONTEXT: (
        "artifacts_a.external_id IS NOT NULL",
        "executions_a.external_id = 'x1'",
        "parent_contexts_a.create_time_since_epoch > 0",
        "child_contexts_a.last_update_time_since_epoch > 0",
    ),
}
TEXT_PATTERNS = ("'n%'", "'%1%'", "'n_'", "'gs://b/%'", "'%a'", "'x%'", "'%'", "'alpha'", "'c__'")
VALUE_PATTERNS = ("'al%'", "'beta'", "'g%'", "'x%'", "'%'", "'mlmd-struct::%'")  # a struct's encoded text is free after its marker
SHORT_TEXTS = ("alpha", "beta", "gamma", "größe", "漢字", "")
REJECTED = (
    "unknown_col = 1",
    "name = 5",
    "id = 'x'",
    "id = NULL",
    "id",
    "name",
    "id = 1 AND",
    "id = 1 OR OR id = 2",
    "(id = 1",
    "id = 1)",
    "id == 1",
    "id = 1;",
    "state = FOO",
    "state = live",
    "last_known_state = LIVE",
    "name = 'it''s'",
    "id = 1 && id = 2",
    "@p = 1",
    "COUNT(id) = 1",
    "id IS DISTINCT FROM 1",
    "contexts_.id = 1",
    "CONTEXTS_a.id = 1",
    "contexts_a.uri = 'x'",
    "contexts_a.nofield = 1",
    "events_0.id = 1",
    "events_0.type = 'INPUT'",
    "properties.n = 1",
    "properties.n.struct_value = 1",
    "Properties.n.int_value = 1",
    "properties.n.int_value = 'x'",
    "properties.s.string_value > 5",
    "properties.b.bool_value = 1",
    "custom_properties.my-prop.int_value = 1",
    "id LIKE 'x'",
    "id IN ()",
    "id IN (1, 'a')",
    "id BETWEEN 1",
    "name = 'open",
    "1 + 1",
    "'x'",
    "NOT id",
    "id = 1 = 2",
    "",
    "   ",
)


class FilterMaker:
    """Composes queries from one random source, with ids and names that exist according to the model."""

    def __init__(self, random, model):
        self._random = random
        self._model = model

    def query(self, kind):
        if self._random.random() < 0.12:
            return self._random.choice(REJECTED)
        if self._random.random() < 0.03:
            return self._random.choice(SUPERSET[kind])
        return self.valid(kind)

    def valid(self, kind):
        return self._expression(kind, self._random.choice((0, 0, 1, 1, 2)))

    def ids(self, kind, count):
        """A query that names up to `count` ids directly."""
        ids = [self._node_id(kind) for _ in range(count)]
        if len(ids) == 1:
            return f"id = {ids[0]}"
        return f"id IN ({', '.join(map(str, ids))})"

    def _expression(self, kind, depth):
        random = self._random
        if depth == 0:
            return self._predicate(kind)
        left, right = self._expression(kind, depth - 1), self._predicate(kind)
        return random.choice(COMBINATIONS).format(left, right)

    def _predicate(self, kind):
        random = self._random
        group = random.choices(("plain", "property", "neighbour", "constant"), (50, 25, 24, 1))[0]
        if group == "constant":
            return random.choice(("TRUE", "FALSE", "true", "1 = 1", "1 > 2"))
        if group == "property":
            return self._property_predicate()
        if group == "plain":
            attribute, type = random.choice(list(ATTRIBUTES[kind].items()))
            attribute = attribute.upper() if random.random() < 0.03 and isinstance(type, str) else attribute
        else:
            neighbour, fields = random.choice(list(NEIGHBOURS[kind].items()))
            name, type = random.choice(list(fields.items()))
            attribute = f"{neighbour}_{random.choice('ab0')}.{name}"
        return self._comparison(kind, attribute, type)

    def _property_predicate(self):
        random = self._random
        group, names = random.choice((("properties", PROPERTIES), ("custom_properties", CUSTOM_PROPERTIES)))
        name = random.choice(names)
        field = USUAL_FIELD.get(name, "string_value") if random.random() < 0.8 else random.choice(list(VALUE_FIELDS))
        quoted = name if name.isascii() and name.isalnum() else f"`{name}`"
        return self._comparison(None, f"{group}.{quoted}.{field}", VALUE_FIELDS[field])

    def _comparison(self, kind, attribute, type):
        random = self._random
        if random.random() < 0.07:
            return f"{attribute} IS {random.choice(('NULL', 'NOT NULL'))}"
        if type == STRING:
            return self._string_comparison(kind, attribute)
        if type == "bool":
            return random.choice((attribute, f"NOT {attribute}", f"{attribute} = true", f"{attribute} != FALSE", f"{attribute} IS TRUE"))
        if isinstance(type, tuple):
            return self._enum_comparison(attribute, type)
        literal = {INTEGER: self._integer, TIME: self._time, "double": self._double}[type]
        form = random.choice(("compare", "compare", "compare", "in", "not in", "between", "not between", "sum"))
        if form == "compare":
            return f"{attribute} {random.choice(COMPARISONS)} {literal(kind)}"
        if form in ("in", "not in"):
            return f"{attribute} {form.upper()} ({', '.join(str(literal(kind)) for _ in range(random.randint(1, 3)))})"
        if form == "sum":
            return f"{attribute} {random.choice('+-*')} {random.randint(0, 3)} {random.choice(COMPARISONS)} {literal(kind)}"
        return f"{attribute} {form.upper()} {literal(kind)} AND {literal(kind)}"

    def _string_comparison(self, kind, attribute):
        random = self._random
        form = random.choice(("compare", "compare", "like", "like", "in", "not in"))
        if form == "compare":
            return f"{attribute} {random.choice(COMPARISONS)} {self._text(kind, attribute)}"
        if form == "like":
            pattern = random.choice(VALUE_PATTERNS if kind is None else TEXT_PATTERNS)
            return f"{attribute} {random.choice(('LIKE', 'NOT LIKE', 'like'))} {pattern}"
        return f"{attribute} {form.upper()} ({', '.join(self._text(kind, attribute) for _ in range(random.randint(1, 3)))})"

    def _enum_comparison(self, attribute, names):
        random = self._random
        form = random.choice(("=", "!=", "IN", "NOT IN", "number"))
        if form == "number":
            return random.choice((f"{attribute} > 1", f"{attribute} BETWEEN 1 AND 3", f"{attribute} <= 2"))
        if form in ("=", "!="):
            return f"{attribute} {form} {random.choice(names)}"
        return f"{attribute} {form} ({', '.join(random.choice(names) for _ in range(random.randint(1, 3)))})"

    def _node_id(self, kind):
        ids = self._model.of[kind].type_of if kind else ()
        if not ids or self._random.random() < 0.1:
            return self._random.choice((0, 1, 5, 1000000))
        return self._random.choice(list(ids))

    def _integer(self, kind):
        return self._random.choice((self._node_id(kind), self._node_id(kind), 0, 1, 2, 10, -3, "0x1F", 5000000000))

    def _time(self, _):
        return self._random.choice((0, 1, 1000, 9999999999999))

    def _double(self, _):
        return self._random.choice((0.5, -1.25, 3.0, 1000.75, 0, 2, "1e3"))

    def _text(self, kind, attribute):
        random = self._random
        if kind is None:
            text = random.choice(SHORT_TEXTS)
        elif attribute.lower().endswith("type"):
            text = random.choice([name for name, _ in self._model.of[random.choice((kind, CONTEXT))].type_names.values()] or ["none"])
        elif attribute.lower().endswith("uri"):
            text = random.choice(sorted(self._model.uris) or ["none"])
        else:
            known = self._model.of[kind]
            candidates = [name for _, name in list(known.names)[-40:]] + list(known.external_ids)[-10:] or ["none"]
            text = random.choice(candidates)
        quote = random.choice("''\"")
        return quote + text + quote
