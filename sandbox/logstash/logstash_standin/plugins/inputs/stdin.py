# SPDX-License-Identifier: GPL-3.0-or-later
"""The stdin input."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import ClassVar

from ...event import Event, Value
from ..base import ExecutionContext, Input, Option
from ..charset import to_text
from ..codecs.json_lines import JsonLinesCodec
from ..codecs.line import LineCodec


class StdinInput(Input):
    codec = "line"
    options: ClassVar[dict[str, Option]] = {"ecs_compatibility": Option(("disabled", "v1", "v8"))}

    def __init__(self, context: ExecutionContext, settings: dict[str, Value]) -> None:
        super().__init__(context, settings)
        # A stream needs a codec that knows where one event ends.
        streaming = {"plain": LineCodec, "json": JsonLinesCodec}.get(settings["codec"].name)
        self._codec = streaming(context, settings["codec"].settings) if streaming else settings["codec"]

    def run(self, push: Callable[[list[Event]], None], stop: threading.Event) -> None:
        while not stop.is_set() and (data := os.read(0, 16_384)):
            push([self._decorated(event, data) for event in self._codec.decode(data)])

    def _decorated(self, event: Event, data: bytes) -> Event:
        ecs = (
            self.settings["ecs_compatibility"] != "disabled" if self.settings["ecs_compatibility"] else self.context.ecs
        )
        host = "[host][hostname]" if ecs else "host"
        if not event.include(host):
            event.set(host, socket.gethostname())
        if ecs and not event.include("[event][original]"):
            event.set("[event][original]", to_text(data, self.log))
        return event


PLUGIN = StdinInput
