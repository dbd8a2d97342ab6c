# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin of the Logstash stand-in is.

A plugin lives in the module `plugins/<inputs|filters|outputs|codecs>/<its name>.py`, which names its class in `PLUGIN`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from ..event import Event, Value, as_text
from ..ruby import Ruby


@dataclass(frozen=True)
class Option:
    """One setting of a plugin.

    type: string, number, boolean, array, hash, path, password, codec, field_reference, or a tuple of allowed values.
    The plugin gets an instance of a codec.
    """

    type: str | tuple[str, ...] = "string"
    required: bool = False
    default: Value = None


class DeadLetters(Protocol):
    """The writing end of a pipeline's dead letter queue."""

    def write(self, event: Event, plugin_type: str, plugin_id: str, reason: str) -> None: ...


class AbortedBatch(Exception):  # noqa: N818  # Logstash's own name, and no error
    """Raised by an output that cannot deliver while the pipeline stops: the batch stays in the queue."""


@dataclass(frozen=True)
class ExecutionContext:
    """What a plugin may know of the pipeline that it runs in."""

    pipeline_id: str
    data: Path
    """`path.data` of the node."""
    settings: dict[str, Value]
    """All settings of the pipeline by their names in logstash.yml."""
    dead_letters: DeadLetters | None
    """None unless `dead_letter_queue.enable` is true."""
    ruby: Ruby = field(default_factory=lambda: Ruby([]))
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def ecs(self) -> bool:
        return bool(self.settings["pipeline.ecs_compatibility"] != "disabled")


class Plugin:
    """A plugin of any kind: `settings` holds a valid value for each of its options."""

    kind: ClassVar[str]
    name: ClassVar[str]
    codec: ClassVar[str]
    """The codec by default, of what has one."""
    options: ClassVar[dict[str, Option]] = {}
    """The plugin's own options; those that all plugins of the kind have come on top."""

    def __init__(self, context: ExecutionContext, settings: dict[str, Value]) -> None:
        self.context = context
        self.settings = settings
        self.id: str = settings["id"]
        self.log = logging.getLogger(f"logstash.{self.kind}s.{self.name}")

    def register(self) -> None:
        """Prepare for work once the whole configuration is valid; not called by `--config.test_and_exit`."""

    def close(self) -> None:
        """Release what `register` took; nothing comes after it."""


class Codec(Plugin):
    kind = "codec"

    def decode(self, data: bytes) -> Iterable[Event]:
        """The events that `data` completes."""
        raise NotImplementedError

    def flush(self) -> Iterable[Event]:
        """The events in what is left when the source has ended."""
        return ()

    def encode(self, event: Event) -> bytes:
        raise NotImplementedError


class Input(Plugin):
    kind = "input"
    codec = "plain"

    def run(self, push: Callable[[list[Event]], None], stop: threading.Event) -> None:
        """Read until the source ends or `stop` is set.

        `push` returns when the events are in the queue: with a persisted queue they then survive a kill.
        """
        raise NotImplementedError


class Filter(Plugin):
    kind = "filter"

    def filter(self, events: list[Event]) -> list[Event]:
        """The events to go on with, new ones included.

        Call `matched` for each event that the filter succeeded on.
        """
        raise NotImplementedError

    def matched(self, event: Event) -> None:
        """Apply the options that every filter has."""
        for template, value in self.settings["add_field"].items():
            name = event.sprintf(template)
            values = [event.sprintf(as_text(item)) for item in (value if isinstance(value, list) else [value])]
            present = event.get(name)
            if present is not None:
                present = [list(item) for item in present.items()] if isinstance(present, dict) else present
                values = [*(present if isinstance(present, list) else [present]), *values]
            event.set(name, values if len(values) > 1 else values[0])
        for template in self.settings["remove_field"]:
            event.remove(event.sprintf(template))
        if self.settings["add_tag"]:
            event.set("tags", [*event.tags, *map(event.sprintf, self.settings["add_tag"])])
        if self.settings["remove_tag"] and event.tags:
            removed = [event.sprintf(tag) for tag in self.settings["remove_tag"]]
            event.set("tags", [tag for tag in event.tags if tag not in removed])


class Output(Plugin):
    kind = "output"
    codec = "plain"

    def receive(self, events: list[Event]) -> None:
        """Deliver the events, retrying until it is done: the queue drops them afterwards."""
        raise NotImplementedError

    def dead_letter(self, event: Event, reason: str) -> None:
        """Keep an event that can never be delivered in the dead letter queue; the caller logs it when there is none."""
        if self.context.dead_letters:
            self.context.dead_letters.write(event, self.name, self.id, reason)
