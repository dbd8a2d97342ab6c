# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain codec: what one read returns is one event."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...event import Event
from ..base import Codec

ESCAPES = {code: f"\\x{code:02X}" for code in range(32)} | {
    ord(plain): "\\" + short for plain, short in zip('"\\\a\b\t\n\v\f\r\x1b', '"\\abtnvfre', strict=True)
}
INVALID_BYTE = re.compile("[\udc80-\udcff]")


def to_text(data: bytes) -> str:
    """Bytes as UTF-8; what is none comes as Ruby prints such a text."""
    text = data.decode(errors="surrogateescape")
    if not INVALID_BYTE.search(text):
        return text
    escaped = re.sub(r"#(?=[{$@])", r"\\#", text.translate(ESCAPES))
    return INVALID_BYTE.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02X}", escaped)


class PlainCodec(Codec):
    def decode(self, data: bytes) -> Iterable[Event]:
        text = to_text(data)
        yield Event({"message": text} | ({"event": {"original": text}} if self.context.ecs else {}))


PLUGIN = PlainCodec
