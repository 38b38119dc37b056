"""Brings two answers to one request into a form in which equal behaviour is equal data.

Times that come from a clock are replaced by the number of the request during which the clock was read, so that "this update moved
last_update_time and that one did not" compares exactly although the two sides ran at different moments. Lists whose order the reference
leaves open are sorted. Page tokens are decoded.
"""
import base64
import binascii
import bisect
import json
import re
import time

from google.protobuf.message import DecodeError
from ml_metadata.proto import metadata_store_pb2 as pb

from model import LISTS

CLOCK_FIELDS = {"create_time_since_epoch", "last_update_time_since_epoch", "milliseconds_since_epoch"}
EARLIEST_CLOCK = 1_600_000_000_000  # smaller times were given by a request
CLOCK_STEP = 0.0005
TYPES_BY_ID = {"GetArtifactTypesByID", "GetExecutionTypesByID", "GetContextTypesByID"}
LEAD_TEXTS = [
    re.compile(pattern)
    for pattern in (
        r"Invalid `filter_query`: Unrecognized name: \S+ \[at \d+:\d+\]",
        r"Invalid `filter_query`: Field name \S+ does not exist in STRUCT",
        r"Invalid `filter_query`: Unsupported enum value specified in the query: \w+",
        r"Invalid `filter_query`: No matching signature for operator \S+",
        r"Invalid `filter_query`: Operands of \S+ cannot be literal NULL",
        r"Invalid `filter_query`: Given query string is not a valid boolean expression",
        r"Invalid `filter_query`: Query parameter",
        r"Invalid `filter_query`: Aggregate function",
        r"Invalid `filter_query`: Syntax error",
        r"Invalid `filter_query`: ",
        r"The request contains deprecated field `uri`",
        r"^No type name is specified\.",
        r"Conflict of external_id: .* Found already existing (Artifact|Execution|Context) type",
        r"Property \w+ is UNKNOWN\.",
        r"Property:\w+ type should not be UNKNOWN\.",
        r"^(?P<lead>Type already exists with different properties: )(Conflicting|can_omit_fields)",
        r"^Type already exists with different properties: can_add_fields is false while the given type has more properties: ",
        r"base_type (deletion|update) is not supported yet",
        r"There is a cycle detected of the given relationship\.",
        r"Must match all fields\.",
        r"No type found for query, name: `.*`, version: `.*`",
        r"No type found for query, type_id: \d+",
        r"No types found for external_ids\.",
        r"No (artifacts|executions|contexts) found for external_ids\.",
        r"Invalid argument because at least one empty external_id exists\.",
        r"No contexts found for (artifact|execution)_id: -?\d+",
        r"Type id is missing\.",
        r"(?P<lead>Found un)(known property|matched property type): ",
        r"Context name should not be empty",
        r"^Given node already exists: ",
        r"Cannot find the given id ",
        r"Given type_id \d+ is different from the one known before: \d+",
        r"^`abort_if_latest_updated_time_changed` is set, and the stored artifact with id = ",
        r"No (artifact|execution) id is specified\.",
        r"No event type is specified\.",
        r"No (artifact|execution) with the given id -?\d+",
        r"^Given event already exists: ",
        r"^No execution is found: ",
        r"^Request's event\.execution_id does not match with the given execution",
        r"Given event\.artifact_id is not aligned with the artifact: ",
        r"If no artifact is present, given event must have an artifact_id: ",
        r"Context is missing a (type_id|name): ",
        r"No event found for event_edge: ",
        r"Event_edge is missing an (artifact|execution)\.",
        r"The event_edge has an (artifact|execution)_index -?\d+",
        r"Missing (artifact|execution) ID\.|Missing (Artifact|Execution) ID\.",
        r"(Artifact|Execution) ID mismatch\.",
        r"^Concurrent creation of the same context at the first time\.",
        r"Results missing for ids: ",
        r"(Context|Artifact|Execution) id not found\.",
        r"Missing parent / child id in the parent_context: ",
        r"Given parent / child id in the parent_context cannot be found: ",
        r"Given parent_context already exists: ",
        r"max_result_size field value is required to be greater than 0 and less than or equal to 100\. Set value:-?\d+",
        r"Unsupported field: FIELD_UNSPECIFIED specified in ListOperationOptions",
        r"Failed to decode next page token string",
        r"Failed to parse decoded next page token into ListOperationNextPageToken proto message",
        r"ListOperationOptions mismatch between calls Initial Options: ",
        r"Invalid NextPageToken in List Operation\. listed_ids field should not be empty\.",
        r"Missing arguments for listing starting nodes\.",
        r"Cannot list starting nodes if `filter_query` is unspecified\.",
        r"max_num_hops cannot be negative: max_num_hops = -?\d+",
        r"Cannot find qualified nodes to start the traversal\.",
    )
]


def lead_text(message):
    """The part of an error text that must be the same on both sides, or None when the text is free. Where it depends on the order of a
    map which of two faults is met first, the pattern's group `lead` is what they have in common."""
    for pattern in LEAD_TEXTS:
        found = pattern.search(message)
        if found:
            return found.group("lead") if "lead" in pattern.groupindex else found.group(0)
    return None


class Clock:
    """Remembers when each writing request ran on one side, and so knows during which request a time was taken."""

    def __init__(self):
        self._starts, self._ends, self._numbers = [], [], []

    def start(self, number):
        """Waits until the clock has ticked since the last request ended, then notes the start of this one."""
        while self._ends and self._now() <= self._ends[-1] + 1:
            time.sleep(CLOCK_STEP)
        self._starts.append(self._now())
        self._numbers.append(number)

    def end(self):
        self._ends.append(self._now())

    def label(self, milliseconds):
        if milliseconds < EARLIEST_CLOCK:
            return milliseconds
        at = bisect.bisect_right(self._starts, milliseconds) - 1
        if at < 0 or milliseconds > self._ends[at]:
            return f"outside of every write: {milliseconds}"
        return f"write #{self._numbers[at]}"

    @staticmethod
    def _now():
        return time.time_ns() // 1_000_000


def plain(message, label):
    """A message as dictionaries, lists and scalars. Only fields that are set appear, defaults included. `label` gives what stands for
    a time."""
    fields = {}
    for descriptor, value in message.ListFields():
        is_message = descriptor.message_type is not None
        if is_message and descriptor.message_type.GetOptions().map_entry:
            of_messages = descriptor.message_type.fields_by_name["value"].message_type is not None
            fields[descriptor.name] = {str(key): plain(value[key], label) if of_messages else value[key] for key in value}
        elif descriptor.label == descriptor.LABEL_REPEATED:
            fields[descriptor.name] = [plain(item, label) for item in value] if is_message else list(value)
        elif is_message:
            fields[descriptor.name] = plain(value, label)
        elif descriptor.name in CLOCK_FIELDS:
            fields[descriptor.name] = label(value)
        else:
            fields[descriptor.name] = value.hex() if isinstance(value, bytes) else value
    return fields


def decoded_token(token, clock):
    """A page token as plain data. With LAST_UPDATE_TIME only the newest of `listed_ids` is comparable: the others are there because
    their time is equal to the millisecond, which is chance. With ID nothing is left to chance, so the text itself is kept."""
    message = pb.ListOperationNextPageToken()
    try:
        message.ParseFromString(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, DecodeError) as error:
        return f"undecodable token {token}: {error}"
    fields = plain(message, clock.label)
    if message.set_options.order_by_field.field == pb.ListOperationOptions.OrderByField.ID:
        fields["text"] = token
    if message.HasField("field_offset"):
        fields["field_offset"] = clock.label(message.field_offset)
    if message.listed_ids:
        fields["listed_ids"] = message.listed_ids[0]
    fields["padded"] = "=" in token
    return fields


def keeps_order(method, request):
    """Whether the order of the answer's lists is part of the behaviour."""
    if method in ("GetArtifacts", "GetExecutions", "GetContexts") or method in TYPES_BY_ID or method.startswith("Put"):
        return True
    return method in LISTS and request.HasField("options")


def sort_lists(fields):
    for value in fields.values():
        if isinstance(value, list):
            value.sort(key=lambda item: json.dumps(item, sort_keys=True, ensure_ascii=False))
        elif isinstance(value, dict):
            sort_lists(value)


def comparable(method, request, answer, clock):
    """What must be equal on both sides. `request` is None when it was not a message."""
    if answer.code:
        return {"code": answer.code, "text": lead_text(answer.message)}
    fields = plain(answer.response, clock.label)
    if fields.get("next_page_token"):
        fields["next_page_token"] = decoded_token(fields["next_page_token"], clock)
    if request is None or not keeps_order(method, request):
        sort_lists(fields)
    return {"code": 0, "response": fields}
