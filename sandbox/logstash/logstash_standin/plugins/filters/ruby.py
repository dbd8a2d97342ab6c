# SPDX-License-Identifier: GPL-3.0-or-later
"""The ruby filter: a script by `path`, or inline `code`."""

from __future__ import annotations

from typing import ClassVar

from ...event import Event, Value
from ..base import ExecutionContext, Filter, Option


class RubyFilter(Filter):
    options: ClassVar[dict[str, Option]] = {
        "path": Option("path"),
        "script_params": Option("hash", default={}),
        "init": Option(default=""),
        "code": Option(default=""),
        "tag_on_exception": Option(default="_rubyexception"),
    }

    def __init__(self, context: ExecutionContext, settings: dict[str, Value]) -> None:
        super().__init__(context, settings)
        if settings["path"]:
            context.ruby.call("load_script", self.id, settings["path"])

    def register(self) -> None:
        if not self.settings["path"]:
            if not self.settings["code"]:
                self.log.critical(
                    'You must either use an inline script with the "code" option or a script file using "path".'
                )
            self.context.ruby.call("load_code", self.id, self.settings["init"], self.settings["code"])
        self.context.ruby.call("start_script", self.id, self.settings["script_params"])

    def filter(self, events: list[Event]) -> list[Event]:
        results = self.context.ruby.call("filter", self.id, [event.whole for event in events])
        return [each for event, result in zip(events, results, strict=True) for each in self._outcome(event, result)]

    def _outcome(self, event: Event, result: dict[str, Value]) -> list[Event]:
        survivors = []
        if result["event"]:
            event = Event.restore(result["event"])
            survivors.append(event)
        if result["matched"]:
            self.matched(event)
        if "error" in result:
            self.log.error("Could not process event: %s", result["error"])
            event.tag(self.settings["tag_on_exception"])
        return survivors + [Event.restore(other) for other in result["others"]]


PLUGIN = RubyFilter
