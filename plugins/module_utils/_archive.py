# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Events as the archive keeps them, and which of them a replay takes."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

Json = dict[str, t.Any]
JSON, WHITESPACE = json.JSONDecoder(), " \t\n\r"
UNKNOWN = object()


class NoEventError(ValueError):
    """A line of the archive that is no event."""


class Event(t.NamedTuple):
    """One event on its way: what every store knows it by, and all of it as text."""

    id: str
    moment: datetime
    version: int  # milliseconds of its making, by which a newer one wins
    text: bytes


@dataclass(frozen=True)
class Selection:
    """A span of event time, its end excluded, and values that fields must have."""

    since: datetime
    until: datetime
    match: Mapping[str, t.Any]

    def event(self, line: str, replay: str) -> Event | None:
        """The event of a line, with the name of the replay that brings it again; None when it is not chosen."""
        text = line.strip(WHITESPACE)
        try:
            # What json.loads does beside this takes a third of its time.
            body, end = JSON.raw_decode(text)
            if end < len(text):
                raise ValueError("a line holds one event")
            event, moment = body["event"], _moment(body["@timestamp"])
            if not (isinstance(event["id"], str) and event["id"].encode()):
                raise TypeError(f"id {event['id']!r} is none")
            found = Event(event["id"], moment, _version(event), _labelled(text, body, replay))
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise NoEventError(repr(error)) from error
        chosen = self.since <= moment < self.until and all(_value(body, path) == to for path, to in self.match.items())
        return found if chosen else None


def _labelled(text: str, body: Json, replay: str) -> bytes:
    if "labels" in body:
        return json.dumps({**body, "labels": {**body["labels"], **_labels(replay)}}).encode()
    # To write the whole anew takes longer than all else that is done with it.
    return _beginning(replay) + text[1:].encode()


def _labels(replay: str) -> dict[str, str]:
    return {"replay": replay, "replay_source": "archive"}


@cache
def _beginning(replay: str) -> bytes:
    return b'{"labels":' + json.dumps(_labels(replay)).encode() + b","


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _version(event: Json) -> int:
    """As the indexer has it: an event that does not say when it was made is older than any that does."""
    try:
        made = _moment(event["ingested"])
    except (LookupError, TypeError, ValueError, OverflowError):
        return 0
    return int(made.timestamp()) * 1000 + made.microsecond // 1000


def _value(body: Json, path: str) -> t.Any:  # noqa: ANN401 - JSON
    """The value at a dotted path."""
    found: t.Any = body
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return UNKNOWN
        found = found[name]
    return found
