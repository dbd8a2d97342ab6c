# SPDX-License-Identifier: GPL-3.0-or-later
"""The line codec: an event a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ...event import Event, Value
from ..base import ExecutionContext, Option
from .plain import PlainCodec


class LineCodec(PlainCodec):
    options: ClassVar[dict[str, Option]] = {"format": Option()}

    def __init__(self, context: ExecutionContext, settings: dict[str, Value]) -> None:
        super().__init__(context, settings)
        self._rest = b""

    def decode(self, data: bytes) -> Iterable[Event]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for line in lines for event in super(LineCodec, self).decode(line)]

    def flush(self) -> Iterable[Event]:
        rest, self._rest = self._rest, b""
        return super().decode(rest) if rest else ()

    def encode(self, event: Event) -> bytes:
        return (event.sprintf(self.settings["format"]) + "\n").encode()


PLUGIN = LineCodec
