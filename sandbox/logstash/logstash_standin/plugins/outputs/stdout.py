# SPDX-License-Identifier: GPL-3.0-or-later
"""The stdout output."""

from __future__ import annotations

import sys

from ...event import Event
from ..base import Output


class StdoutOutput(Output):
    codec = "rubydebug"

    def receive(self, events: list[Event]) -> None:
        for event in events:
            sys.stdout.buffer.write(self.settings["codec"].encode(event))
        sys.stdout.buffer.flush()


PLUGIN = StdoutOutput
