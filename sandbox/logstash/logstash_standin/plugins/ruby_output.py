# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs written in Ruby: `logstash/outputs/<name>.rb` under one of `path.plugins`."""

from __future__ import annotations

from pathlib import Path

from ..event import Event, Value
from ..ruby import Ruby, RubyError
from .base import AbortedBatch, ExecutionContext, Option, Output


class RubyOutput(Output):
    def __init__(self, context: ExecutionContext, settings: dict[str, Value]) -> None:
        super().__init__(context, settings)
        values = {name: settings[name] for name in self.options}
        self.context.ruby.call("new_output", self.id, self.name, values)

    def register(self) -> None:
        self.context.ruby.call("register", self.id)

    def receive(self, events: list[Event]) -> None:
        try:
            self.context.ruby.call("receive", self.id, [event.whole for event in events])
        except RubyError as error:
            raise AbortedBatch if error.ruby_class.endswith("::AbortedBatchException") else error from None

    def close(self) -> None:
        self.context.ruby.call("close", self.id)


def ruby_output(ruby: Ruby, name: str, file: Path) -> type[Output]:
    """The output's class, with the options that its Ruby class declares."""
    declared = ruby.call("output_settings", str(file))
    return type(
        "DeclaredOutput", (RubyOutput,), {"name": name, "options": {key: _option(**declared[key]) for key in declared}}
    )


def _option(validate: Value = "string", required: bool = False, default: Value = None) -> Option:
    return Option(tuple(validate) if isinstance(validate, list) else validate, required, default)
