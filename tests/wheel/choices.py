"""Random choices that every kind of request needs."""
from pools import MISSING_ID, UNKNOWN_ENUM


def set_unknown_enum(message, field):
    """Gives an enum field a number that its enum does not have."""
    number = message.DESCRIPTOR.fields_by_name[field].number
    message.ClearField(field)  # an earlier value would stay, and clients send a field once
    message.MergeFromString(bytes([number << 3, UNKNOWN_ENUM]))


class Choices:
    """Picks ids and names with one random source, according to what the model knows."""

    def __init__(self, random, model):
        self._random = random
        self.model = model
        self._fresh = 0

    def _chance(self, probability):
        return self._random.random() < probability

    def _fresh_name(self):
        self._fresh += 1
        return f"n{self._fresh}"

    def _node_id(self, kind):
        """Mostly the id of a node of this kind, recent ones more often; sometimes one that never exists."""
        ids = list(self.model.of[kind].type_of)
        if not ids or self._chance(0.03):
            return self._random.choice((MISSING_ID, 0, -1))
        return self._random.choice(ids[-25:] if self._chance(0.5) else ids)

    def _existing_id(self, kind):
        ids = list(self.model.of[kind].type_of)
        return self._random.choice(ids[-25:] if self._chance(0.5) else ids) if ids else None

    def _type_id(self, kind):
        known = self.model.of[kind].declared
        rich = [type_id for type_id, properties in known.items() if properties]
        return self._random.choice(rich if rich and self._chance(0.9) else list(known) or [MISSING_ID])

    def _external_id(self, kind):
        known = list(self.model.of[kind].external_ids) if kind else []
        if known and self._chance(0.15):
            return self._random.choice(known)
        return self._random.choice(("", "x1", "größe")) if self._chance(0.1) else f"x{self._fresh_name()}"
