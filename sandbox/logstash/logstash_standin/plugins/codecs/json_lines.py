# SPDX-License-Identifier: GPL-3.0-or-later
"""The json_lines codec: a JSON document a line."""

from __future__ import annotations

from collections.abc import Iterable

from ...event import Event, Value
from ..base import ExecutionContext
from .json import JsonCodec


class JsonLinesCodec(JsonCodec):
    keeps_original = False

    def __init__(self, context: ExecutionContext, settings: dict[str, Value]) -> None:
        super().__init__(context, settings)
        self._rest = b""

    def decode(self, data: bytes) -> Iterable[Event]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for line in lines for event in super(JsonLinesCodec, self).decode(line)]

    def flush(self) -> Iterable[Event]:
        rest, self._rest = self._rest, b""
        return super().decode(rest)

    def encode(self, event: Event) -> bytes:
        return super().encode(event) + b"\n"


PLUGIN = JsonLinesCodec
