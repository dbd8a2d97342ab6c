# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain codec: what one read returns is one event."""

from __future__ import annotations

from collections.abc import Iterable

from ...event import Event
from ..base import Codec
from ..charset import to_text


class PlainCodec(Codec):
    def decode(self, data: bytes) -> Iterable[Event]:
        text = to_text(data, self.log)
        yield Event({"message": text} | ({"event": {"original": text}} if self.context.ecs else {}))


PLUGIN = PlainCodec
