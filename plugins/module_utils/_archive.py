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

Json = dict[str, t.Any]
UNKNOWN = object()


class NoEventError(ValueError):
    """A line of the archive that is no event."""


@dataclass(frozen=True)
class Event:
    """One event on its way: what every store knows it by, and all of it."""

    id: str
    moment: datetime
    version: int  # milliseconds of its making, by which a newer one wins
    body: Json

    @classmethod
    def read(cls, line: str) -> Event:
        try:
            body = json.loads(line)
            return cls(body["event"]["id"], _moment(body["@timestamp"]), _version(body["event"]), body)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise NoEventError(repr(error)) from error

    def labelled(self, replay: str) -> Event:
        """The same with the name of the replay that brings it again."""
        labels = {**self.body.get("labels", {}), "replay": replay, "replay_source": "archive"}
        return Event(self.id, self.moment, self.version, {**self.body, "labels": labels})

    def json(self) -> bytes:
        return json.dumps(self.body, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Selection:
    """A span of event time, its end excluded, and values that fields must have."""

    since: datetime
    until: datetime
    match: Mapping[str, t.Any]

    def includes(self, event: Event) -> bool:
        return self.since <= event.moment < self.until and all(
            _value(event.body, path) == wanted for path, wanted in self.match.items()
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _version(event: Json) -> int:
    """As the indexer has it: an event that does not say when it was made is older than any that does."""
    try:
        made = _moment(event["ingested"])
    except (LookupError, TypeError, ValueError):
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
