# SPDX-License-Identifier: GPL-3.0-or-later
"""Events as Logstash has them: field references, sprintf, tags, timestamps, and their spelling in JSON."""

from __future__ import annotations

import calendar
import copy
import json
import math
import re
import time
from decimal import Decimal
from functools import lru_cache
from typing import Any

Value = Any
"""What a field holds: as loosely typed as JSON."""

ISO_8601 = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(?:T(?:([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?|(24):00(?::00(?:\.0+)?)?)(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
FOUR_CENTURIES = 146_097 * 86_400
PATH = re.compile(r"(?:\[[^\[\]]+\])+")
PLACEHOLDER = re.compile(r"%\{([^}]*)\}")
ESCAPES = {code: f"\\u{code:04X}" for code in range(32)} | {
    ord(plain): "\\" + short for plain, short in zip('"\\\b\f\n\r\t', '"\\bfnrt', strict=True)
}
JODA = {"yyyy": "%Y", "YYYY": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


class EventError(Exception):
    """What an event refuses."""


class Timestamp:
    """A point in time in UTC, to the nanosecond."""

    def __init__(self, nanoseconds: int | None = None) -> None:
        self.nanoseconds = time.time_ns() if nanoseconds is None else nanoseconds

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        match = ISO_8601.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is no ISO 8601 time")
        zone = match[9] or "Z"
        fraction = (match[7] or "").ljust(9, "0")
        year, month, day, hour, minute, second = (int(match[group] or 0) for group in range(1, 7))
        # Python's calendar begins with year 1, and repeats after 400; Logstash takes February 30 for the month's last.
        day = min(day, calendar.monthrange(year or 400, month)[1])
        seconds = calendar.timegm((year or 400, month, day, 24 if match[8] else hour, minute, second))
        if not year:
            seconds -= FOUR_CENTURIES
        if zone.upper() != "Z":
            offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
            seconds += offset if zone[0] == "-" else -offset
        return cls(seconds * 10**9 + int(fraction))

    def strftime(self, form: str) -> str:
        return time.strftime(form, time.gmtime(self.nanoseconds // 10**9))

    def __str__(self) -> str:
        moment, fraction = time.gmtime(self.nanoseconds // 10**9), f"{self.nanoseconds % 10**9:09}"
        while len(fraction) > 3 and fraction.endswith("000"):
            fraction = fraction[:-3]
        return f"{moment.tm_year:04}-{time.strftime('%m-%dT%H:%M:%S', moment)}.{fraction}Z"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)


@lru_cache(maxsize=1024)
def field_path(reference: str) -> tuple[str, ...]:
    """`name`, `[name]` or `[a][b]` as a path of keys."""
    if "[" not in reference and "]" not in reference:
        return (reference,)
    while reference.startswith("[[") and reference.endswith("]]"):
        reference = reference[1:-1]
    if not PATH.fullmatch(reference):
        raise EventError(f"Invalid FieldReference: `{reference}`")
    return tuple(reference[1:-1].split("]["))


@lru_cache(maxsize=256)
def strftime_form(pattern: str) -> str:
    """A Joda pattern in the terms of strftime."""
    parts = re.findall(r"([A-Za-z])(\1*)|([^A-Za-z]+)", pattern)
    unknown = [letter + rest for letter, rest, _ in parts if letter and letter + rest not in JODA]
    if unknown:
        raise EventError(f"Illegal pattern component: {unknown[0]}")
    return "".join(JODA[letter + rest] if letter else text.replace("%", "%%") for letter, rest, text in parts)


class Event:
    def __init__(self, data: dict[str, Value] | None = None) -> None:
        self.data = dict(data or {})
        self.data.setdefault("@version", "1")
        self.metadata = self.data.pop("@metadata", {})
        if not isinstance(self.metadata, dict):
            raise EventError("@metadata must be a hash")
        given = self.data.pop("@timestamp", None)
        self.data["@timestamp"] = given if isinstance(given, Timestamp) else Timestamp()
        if "tags" in self.data:
            self._check_tags(self.data.pop("tags"))
        if isinstance(given, str):
            try:
                self.data["@timestamp"] = Timestamp.parse(given)
            except ValueError:
                self._tag_failure("timestamp", given)
        elif given is not None and not isinstance(given, Timestamp):
            self._tag_failure("timestamp", given)

    def _check_tags(self, tags: Value) -> None:
        tags = [tags] if isinstance(tags, str) else tags
        if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
            self.data["tags"] = tags
        else:
            self._tag_failure("tags", [tags])

    def _tag_failure(self, field: str, value: Value) -> None:
        self.tag(f"_{field}parsefailure")
        self.data["_tags" if field == "tags" else "_@timestamp"] = value

    def _root(self, path: tuple[str, ...]) -> tuple[dict[str, Value], tuple[str, ...]]:
        return (self.metadata, path[1:]) if path[0] == "@metadata" else (self.data, path)

    def get(self, reference: str) -> Value:
        value: Value
        value, path = self._root(field_path(reference))
        for key in path:
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and re.fullmatch(r"-?\d+", key) and -len(value) <= int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return value

    def include(self, reference: str) -> bool:
        path = field_path(reference)
        parent = self.get("".join(f"[{key}]" for key in path[:-1])) if len(path) > 1 else self.data
        return path == ("@metadata",) or (isinstance(parent, dict) and path[-1] in parent)

    def set(self, reference: str, value: Value) -> None:
        parent, path = self._root(field_path(reference))
        if path == ("@timestamp",) and not isinstance(value, Timestamp):
            raise EventError("wrong argument type (expected LogStash::Timestamp)")
        if not path:
            raise EventError("The stand-in does not replace @metadata as a whole")
        for key in path[:-1]:
            parent = parent.setdefault(key, {})
            if not isinstance(parent, dict):
                raise EventError(f"Could not set field '{path[-1]}' on object '{parent}' to set path '{reference}'.")
        parent[path[-1]] = value

    def remove(self, reference: str) -> Value:
        path = field_path(reference)
        if not self.include(reference):
            return None
        parent = self.get("".join(f"[{key}]" for key in path[:-1])) if len(path) > 1 else self.data
        return parent.pop(path[-1])

    @property
    def tags(self) -> list[str]:
        tags = self.data.get("tags") or []
        return [tags] if isinstance(tags, str) else tags

    def tag(self, tag: str) -> None:
        if tag not in self.tags:
            self.data["tags"] = [*self.tags, tag]

    def clone(self) -> Event:
        return copy.deepcopy(self)

    def sprintf(self, template: str) -> str:
        """The template with `%{field}` and `%{+date pattern}` filled in; a missing field stays as it is written."""
        return PLACEHOLDER.sub(self._fill, template) if "%{" in template else template

    def _fill(self, match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("{"):
            raise EventError(f"The stand-in does not know java.time patterns: {match[0]}}}")
        if name.startswith("+"):
            timestamp = self.data.get("@timestamp")
            form = strftime_form(name[1:])
            return timestamp.strftime(form) if timestamp else ""
        value = self.get(name)
        return match[0] if value is None else as_text(value)

    def to_json(self) -> str:
        return to_json(self.data)

    @classmethod
    def restore(cls, packed: dict[str, Value]) -> Event:
        """An event as it was elsewhere: what it lacks it goes on lacking."""
        event = cls.__new__(cls)
        event.data = _unpacked(packed)
        event.metadata = event.data.pop("@metadata")
        return event

    @property
    def whole(self) -> dict[str, Value]:
        return self.data | {"@metadata": self.metadata}

    def dump(self) -> str:
        """The whole event for storage."""
        return pack(self.whole)

    @classmethod
    def load(cls, text: str) -> Event:
        return cls.restore(json.loads(text))


def _tagged(value: Timestamp) -> dict[str, str]:
    return {"\0timestamp": str(value)}


def _unpacked(value: Value) -> Value:
    if isinstance(value, dict):
        if "\0timestamp" in value:
            return Timestamp.parse(value["\0timestamp"])
        return {key: _unpacked(item) for key, item in value.items()}
    return [_unpacked(item) for item in value] if isinstance(value, list) else value


# JSON in which a timestamp is a hash with a key of its own.
pack = json.JSONEncoder(ensure_ascii=False, default=_tagged).encode


def as_text(value: Value) -> str:
    """A value inside a text, as sprintf writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join("" if item is None else as_text(item) for item in value)
    return to_json(value).strip('"') if isinstance(value, float | Timestamp) else to_json(value)


def to_json(value: Value) -> str:
    """JSON as Logstash's writer spells it: numbers like Java, upper-case escapes, nothing beyond ASCII escaped."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return f'"{value.translate(ESCAPES)}"'
        case dict():
            return "{" + ",".join(f"{to_json(str(key))}:{to_json(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(to_json, value)) + "]"
        case float():
            return java_double(value)
        case Timestamp():
            return f'"{value}"'
        case _:
            return str(value)


def java_double(value: float) -> str:
    if not math.isfinite(value):
        return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    mantissa = "".join(map(str, digits))
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa[0]}.{mantissa[1:] or '0'}E{exponent + len(digits) - 1}"
