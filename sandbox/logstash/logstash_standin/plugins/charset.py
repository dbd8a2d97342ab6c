# SPDX-License-Identifier: GPL-3.0-or-later
"""What codecs make of bytes."""

from __future__ import annotations

import logging
import re

ESCAPES = {code: f"\\x{code:02X}" for code in range(32)} | {
    ord(plain): "\\" + short for plain, short in zip('"\\\a\b\t\n\v\f\r\x1b', '"\\abtnvfre', strict=True)
}
INVALID_BYTE = re.compile("[\udc80-\udcff]")


def to_text(data: bytes, log: logging.Logger) -> str:
    """Bytes as UTF-8; what is none comes as Ruby prints such a text."""
    text = data.decode(errors="surrogateescape")
    if not INVALID_BYTE.search(text):
        return text
    log.warning("Received an event that has a different character encoding than you configured. {text: %s}", data)
    escaped = re.sub(r"#(?=[{$@])", r"\\#", text.translate(ESCAPES))
    return INVALID_BYTE.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02X}", escaped)
