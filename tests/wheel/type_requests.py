"""Requests about types."""
from ml_metadata.proto import metadata_store_pb2 as pb

from choices import Choices, set_unknown_enum
from model import EXECUTION, KINDS, SIMPLE_TYPES
from oracle import request_class
from pools import BASE_TYPES, MISSING_ID, PROPERTY_TYPES, STRUCT_SHAPES, TYPE_NAMES, UNKNOWN_ENUM


class TypeRequests(Choices):
    """Makes requests that write or read types."""

    def _fill_type(self, given, kind):
        random_ = self._random
        names = TYPE_NAMES[kind] + SIMPLE_TYPES[kind][:2]
        given.name = "" if self._chance(0.02) else random_.choice(names) if self._chance(0.6) else f"T{random_.randint(1, 30)}"
        if self._chance(0.6):
            given.version = random_.choice(("", "v1", "v2", "v3"))
        if self._chance(0.3):
            given.description = random_.choice(("", "text", "größe"))
        if self._chance(0.08):
            given.external_id = random_.choice(("", "t1", "t2", "t3", "t4", f"t{self._fresh_name()}"))
        for name in random_.sample(list(PROPERTY_TYPES), random_.choice((0, 1, 2, 8))):
            given.properties[name] = PROPERTY_TYPES[name]
        if self._chance(0.06):
            given.properties[random_.choice(("n", "s", "extra"))] = random_.choice((pb.UNKNOWN, pb.INT, pb.STRING))
        if "n" not in given.properties and self._chance(0.02):
            given.MergeFromString(b"\x1a\x05\x0a\x01n\x10" + bytes([UNKNOWN_ENUM]))
        self._set_base_type(given, kind)
        if kind is EXECUTION:
            for field in ("input_type", "output_type"):
                if self._chance(0.2):
                    self._fill_struct_type(getattr(given, field), 2)
        if self._chance(0.05):
            given.id = 3

    def _set_base_type(self, given, kind):
        if self._chance(0.03):
            given.base_type = 0
        elif self._chance(0.02):
            set_unknown_enum(given, "base_type")
        elif BASE_TYPES[kind] and self._chance(0.2):
            given.base_type = self._random.choice(BASE_TYPES[kind])

    def _fill_struct_type(self, struct_type, depth):
        shape = self._random.choice(STRUCT_SHAPES if depth else ("simple", "any"))
        if shape == "simple":
            struct_type.simple.name = self._random.choice(("Data", "größe"))
            struct_type.simple.properties["n"] = pb.INT
        elif shape == "list":
            self._fill_struct_type(struct_type.list.element, depth - 1)
        elif shape == "union":
            self._fill_struct_type(struct_type.union_type.candidates.add(), depth - 1)
        elif shape == "intersection":
            self._fill_struct_type(struct_type.intersection.constraints.add(), depth - 1)
        elif shape == "tuple":
            self._fill_struct_type(struct_type.tuple.elements.add(), depth - 1)
        elif shape == "dict":
            self._fill_struct_type(struct_type.dict.properties["k"], depth - 1)
            struct_type.dict.none_type_not_required = self._chance(0.5)
        else:
            getattr(struct_type, shape).SetInParent()

    def _type_flags(self, request):
        for flag, probability in (("can_add_fields", 0.8), ("can_omit_fields", 0.8), ("can_delete_fields", 0.1)):
            if self._chance(probability):
                setattr(request, flag, self._chance(0.9))
        if self._chance(0.05):
            request.all_fields_match = self._chance(0.7)

    def _put_type(self, kind):
        request = request_class(f"Put{kind.name}Type")()
        if not self._chance(0.02):
            self._fill_type(getattr(request, f"{kind.field}_type"), kind)
        self._type_flags(request)
        return request

    def _put_types(self):
        request = request_class("PutTypes")()
        for kind in KINDS:
            for _ in range(self._random.choice((0, 1, 1, 2))):
                self._fill_type(getattr(request, f"{kind.field}_types").add(), kind)
        self._type_flags(request)
        return request

    def _named_type(self, method, kind):
        request = request_class(method)()
        known = list(self.model.of[kind].type_names.values())
        name, version = self._random.choice(known) if known and not self._chance(0.15) else (self._random.choice(("", "nowhere")), "")
        if not self._chance(0.02):
            request.type_name = name
        if version or self._chance(0.2):
            request.type_version = version if self._chance(0.95) else "v9"
        return request

    def _types_by_id(self, kind):
        known = list(self.model.of[kind].declared) + [1, 7, 11, MISSING_ID]
        return request_class(f"Get{kind.name}TypesByID")(type_ids=self._random.choices(known, k=self._random.randint(0, 4)))
