# SPDX-License-Identifier: GPL-3.0-or-later
"""What codecs make of bytes."""

from __future__ import annotations

import logging
import re
import unicodedata

SHORT = {plain: "\\" + short for plain, short in zip('"\\\a\b\t\n\v\f\r\x1b', '"\\abtnvfre', strict=True)}
UNPRINTED = ("Cc", "Cn", "Zl", "Zp")
INVALID_BYTE = re.compile("[\udc80-\udcff]")


def to_text(data: bytes, log: logging.Logger) -> str:
    """Bytes as UTF-8; what is none comes as Ruby prints such a text."""
    text = data.decode(errors="surrogateescape")
    if not INVALID_BYTE.search(text):
        return text
    log.warning("Received an event that has a different character encoding than you configured. {text: %s}", data)
    return re.sub(r"#(?=[{$@])", r"\\#", "".join(map(_printed, text)))


def _printed(char: str) -> str:
    if INVALID_BYTE.fullmatch(char):
        return f"\\x{ord(char) - 0xDC00:02X}"
    if char in SHORT:
        return SHORT[char]
    if unicodedata.category(char) not in UNPRINTED or char == "\x85":
        return char
    return f"\\u{ord(char):04X}" if ord(char) <= 0xFFFF else f"\\u{{{ord(char):X}}}"
