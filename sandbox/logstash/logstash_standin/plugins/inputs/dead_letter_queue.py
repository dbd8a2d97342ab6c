# SPDX-License-Identifier: GPL-3.0-or-later
"""The events that another pipeline could not deliver."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ...dead_letters import DeadLetterQueue, Letter
from ...event import Event
from ..base import Input, Option

BATCH = 125
POLL_INTERVAL = 1


class DeadLetterQueueInput(Input):
    options: ClassVar[dict[str, Option]] = {
        "path": Option("path", required=True),
        "pipeline_id": Option(default="main"),
        "commit_offsets": Option("boolean", default=True),
        "clean_consumed": Option("boolean", default=False),
    }

    def register(self) -> None:
        self.queue = DeadLetterQueue(Path(self.settings["path"], self.settings["pipeline_id"]))

    def run(self, push: Callable[[list[Event]], None], stop: threading.Event) -> None:
        position = self.queue.position() if self.settings["commit_offsets"] else 0
        while not stop.is_set():
            letters = self.queue.read(position, BATCH)
            if not letters:
                stop.wait(POLL_INTERVAL)
                continue
            push([_event(letter) for letter in letters])
            position = letters[-1].number
            if self.settings["commit_offsets"]:
                self.queue.commit(position)
            if self.settings["clean_consumed"]:
                self.queue.clean(position)

    def close(self) -> None:
        self.queue.close()


def _event(letter: Letter) -> Event:
    event = Event.load(letter.event)
    event.metadata["dead_letter_queue"] = {
        "entry_time": letter.entry_time,
        "plugin_type": letter.plugin_type,
        "plugin_id": letter.plugin_id,
        "reason": letter.reason,
    }
    return event


PLUGIN = DeadLetterQueueInput
