# SPDX-License-Identifier: GPL-3.0-or-later
"""The json codec: a document, or a list of them, is what one read returns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from ...event import Event, EventError, Value
from ..base import Codec
from ..charset import to_text

LONE_SURROGATE = re.compile("[\ud800-\udfff].*", re.DOTALL)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse)


def _cut(value: Value) -> Value:
    """Logstash cuts a text at half of a surrogate pair."""
    if isinstance(value, str):
        return LONE_SURROGATE.sub("", value)
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return {key: _cut(item) for key, item in value.items()} if isinstance(value, dict) else value


def documents(text: str) -> list[Value]:
    """The documents in a text, whose rest after the first one is ignored."""
    if not text.strip():
        return []
    value, _ = DECODER.raw_decode(text.lstrip())
    if "\\ud" in text.lower():
        value = _cut(value)
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in values):
        raise ValueError("no JSON object")
    return values


class JsonCodec(Codec):
    keeps_original = True

    def decode(self, data: bytes) -> Iterable[Event]:
        text = to_text(data, self.log)
        try:
            return [self._event(document, text) for document in documents(text)]
        except (ValueError, EventError) as error:
            self.log.warning("JSON parse error, original data now in message field {message: %s}", error)
            return [Event({"message": text, "tags": ["_jsonparsefailure"]})]

    def _event(self, document: dict[str, Value], text: str) -> Event:
        event = Event(document)
        if self.keeps_original and self.context.ecs and not event.include("[event][original]"):
            event.set("[event][original]", text)
        return event

    def encode(self, event: Event) -> bytes:
        return event.to_json().encode()


PLUGIN = JsonCodec
