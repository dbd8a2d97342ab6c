# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""CloudFront access logs read by the ledger's own rule, so that it can contradict the capture pipeline."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import typing as t
import unicodedata
import zlib
from datetime import datetime
from hashlib import sha256

# What decides whether a line is a hit, and when; a layout without one of these (RTMP, real-time logs) is none of ours.
NEEDED_FIELDS = frozenset({"date", "time", "cs-method", "cs-uri-stem", "cs-uri-query"})
# A longer one cannot be the stream's partition key; such a line goes by its hash.
MAX_ID_BYTES = 256

KEY_HOUR = re.compile(r"\.(\d{4}-\d\d-\d\d)-(\d\d)\.[^./]+(?:\.gz)?\Z")
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
RUBY_SPACE = " \t\n\v\f\r\0"
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]?")
RUBY_ESCAPES = dict(zip('\a\b\t\n\v\f\r\x1b"\\', (f"\\{char}" for char in 'abtnvfre"\\'), strict=True))
RUBY_UNPRINTED = ("Cc", "Cn", "Cs", "Zl", "Zp")


class Line(t.NamedTuple):
    number: int
    kind: t.Literal["hit", "unreadable", "filtered"]
    hour: str
    id: str | None
    hash: str


class BrokenObjectError(Exception):
    """The rest of an object cannot be read."""


def _java_replacement(error: UnicodeError) -> tuple[str, int]:
    # Java replaces an encoded surrogate as one character, Python each of its bytes.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    surrogate = SURROGATE.match(error.object, error.start)
    return "\ufffd", surrogate.end() if surrogate else error.end


codecs.register_error("java_replacement", _java_replacement)


def hour_of_key(key: str) -> str | None:
    """The hour in the name that CloudFront gives an object."""
    match = KEY_HOUR.search(key)
    return _hour(match[1], f"{match[2]}:00:00") if match else None


def read_lines(file: t.IO[bytes]) -> t.Iterator[str]:
    """The lines of an object as Logstash's s3 input delivers them, without their ends."""
    compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return _compressed_lines(file) if compressed else _plain_lines(file)


def _compressed_lines(file: t.IO[bytes]) -> t.Iterator[str]:
    # Java's BufferedReader ends a line where Python's universal newlines do.
    stream = gzip.GzipFile(fileobj=file, mode="rb")
    with io.TextIOWrapper(t.cast("t.IO[bytes]", stream), "utf-8", "java_replacement", newline=None) as lines:
        try:
            for line in lines:
                yield line.removesuffix("\n")
        except (EOFError, OSError, zlib.error) as error:
            raise BrokenObjectError(str(error)) from error


def _plain_lines(file: t.IO[bytes]) -> t.Iterator[str]:
    for raw in file:
        try:
            yield _chomp(raw.decode())
        except UnicodeDecodeError:
            # The plain codec delivers such a line as Ruby would write it in source text, its end included.
            yield ruby_inspect(raw)


def _chomp(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line.removesuffix("\r")


def ruby_inspect(raw: bytes) -> str:
    """What Ruby's String#inspect writes between its quotes."""
    text = raw.decode("utf-8", "surrogateescape")
    return "".join(
        RUBY_ESCAPES.get(char)
        or (f"\\x{ord(char) & 0xFF:02X}" if "\udc80" <= char <= "\udcff" else None)
        or ("\\#" if char == "#" and following in ("{", "$", "@") else None)
        or (_ruby_codepoint(char) if unicodedata.category(char) in RUBY_UNPRINTED and char != "\x85" else char)
        for char, following in zip(text, [*text[1:], ""], strict=True)
    )


def _ruby_codepoint(char: str) -> str:
    return f"\\u{ord(char):04X}" if ord(char) <= 0xFFFF else f"\\u{{{ord(char):X}}}"


def classify(lines: t.Iterable[str], key: str, delivered: str, pixel_path: re.Pattern[str]) -> t.Iterator[Line]:
    """Every line that is neither blank nor a comment, of an object by its key and hour as delivered."""
    fields: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("#Fields: "):  # with a tabulator instead the input knows no field list, nor do we
            fields = re.split(r"\s+", line.removeprefix("#Fields: ").strip(RUBY_SPACE), flags=re.ASCII)
        if line.startswith("#") or not line.strip(RUBY_SPACE):
            continue
        columns = line.split("\t")
        row = dict(zip(fields, columns, strict=False))
        hour = _hour(row.get("date", ""), row.get("time", "")) or hour_of_key(key) or delivered
        digest = sha256(line.encode()).hexdigest()
        if not NEEDED_FIELDS.issubset(fields) or len(columns) != len(fields):
            yield Line(number, "unreadable", hour, None, digest)
        elif row["cs-method"] == "GET" and pixel_path.search(row["cs-uri-stem"]):
            yield Line(number, "hit", hour, _id(row.get("x-edge-request-id", ""), key, line), digest)
        else:
            yield Line(number, "filtered", hour, None, digest)


def _id(request_id: str, key: str, line: str) -> str:
    if request_id in ("", "-") or len(request_id.encode()) > MAX_ID_BYTES:
        return sha256(f"{key}\n{line}".encode()).hexdigest()
    return request_id


def _hour(date: str, time: str) -> str | None:
    if not DATE_TIME.fullmatch(f"{date} {time}"):
        return None
    try:
        return datetime.fromisoformat(f"{date}T{time}").strftime("%Y-%m-%dT%H")
    except ValueError:
        return None
