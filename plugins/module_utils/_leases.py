# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Leases: what the Kinesis Client Library keeps of each shard, and what of that a rewind changes.

The facts are those of KCL 1.15, 2.7 and 3.5 (C(docs/rewind.md) says how they were measured).
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Shard, Stream

TRIM_HORIZON, AT_TIMESTAMP, LATEST, SHARD_END = "TRIM_HORIZON", "AT_TIMESTAMP", "LATEST", "SHARD_END"
# A consumer whose row says AT_TIMESTAMP has done nothing yet. Only its own configuration knows where between the
# beginning and the tip that is.
NAMED = {TRIM_HORIZON: 0, AT_TIMESTAMP: 1, LATEST: 3, SHARD_END: 4}
NUMBERED = 2
LEASE = "LEASE"
# What every lease has, and no other row.
MARKS = {"leaseKey", "leaseCounter", "checkpoint"}

Row = dict[str, dict[str, t.Any]]
"""An item as DynamoDB's own JSON has it, such as {"leaseCounter": {"N": "17"}}."""


class NoConsumerError(PipelineError):  # type: ignore[misc] # mypy finds no collections
    """A table is not that of a consumer of one stream."""


class Position(t.NamedTuple):
    """What a consumer has done of a shard: everything up to a record, or what a name says."""

    checkpoint: str
    subsequence: int = 0

    @classmethod
    def before(cls, sequence_number: str) -> Position:
        """Where the next record to come is this one, all that is packed into it included."""
        return cls(sequence_number, -1)

    @property
    def is_number(self) -> bool:
        return self.checkpoint not in NAMED

    @property
    def iterator(self) -> dict[str, str]:
        """How to ask Kinesis for what comes next."""
        if not self.is_number:
            return {"ShardIteratorType": self.checkpoint}
        place = "AT" if self.subsequence < 0 else "AFTER"
        return {"ShardIteratorType": f"{place}_SEQUENCE_NUMBER", "StartingSequenceNumber": self.checkpoint}

    @property
    def order(self) -> tuple[int, int, int]:
        """Positions of one shard sort by it."""
        if self.is_number:
            return NUMBERED, int(self.checkpoint), self.subsequence
        return NAMED[self.checkpoint], 0, 0


@dataclass(frozen=True)
class Lease:
    """One shard's row. The owner's name outlives the owner: only a moving counter shows a live one."""

    shard: str
    position: Position
    counter: int
    owner: str | None
    rewind: str | None  # the last rewind that placed it
    row: Row

    @classmethod
    def of(cls, row: Row) -> Lease:
        position = Position(row["checkpoint"]["S"], int(row["checkpointSubSequenceNumber"]["N"]))
        owner, rewind = (row.get(name, {}).get("S") for name in ("leaseOwner", "rewindId"))
        return cls(row["leaseKey"]["S"], position, int(row["leaseCounter"]["N"]), owner, rewind, row)


def read_leases(table: str, rows: t.Iterable[Row]) -> dict[str, Lease]:
    """The leases among the rows of a table, by shard. KCL 3.5 keeps notes of other kinds there, and so may people."""
    leases = {}
    for row in rows:
        if row.get("entityType", {}).get("S", LEASE) != LEASE or not row.keys() >= MARKS:
            continue
        try:
            lease = Lease.of(row)
            lease.position.order  # noqa: B018 - a checkpoint that is neither a name nor a number has none
        except (KeyError, ValueError) as error:
            raise NoConsumerError(
                f"Table {table!r} holds a row that is no lease of a shard, {row['leaseKey']}."
                " If it is a consumer's table, remove that row."
            ) from error
        if ":" in lease.shard:
            raise NoConsumerError(
                f"Table {table!r} is that of a consumer of several streams ({lease.shard}), which cannot be rewound."
            )
        leases[lease.shard] = lease
    return leases


def strangers(stream: Stream, shards: Mapping[str, Shard], leases: Mapping[str, Lease]) -> list[str]:
    """The leases that cannot be of this stream, as far as they name a shard or a record."""
    if not set(leases) & set(shards):
        return sorted(leases)
    numbered = sorted(shard for shard, lease in leases.items() if shard in shards and lease.position.is_number)
    outside = [shard for shard in numbered if not shards[shard].may_hold(leases[shard].position.checkpoint)]
    # Another stream's number may lie inside all the same, and Kinesis knows. One of them tells of all.
    return outside or [shard for shard in numbered[-1:] if not stream.takes(shard, leases[shard].position.iterator)]


def require_leases(stream: Stream, application: str, shards: Mapping[str, Shard], leases: Mapping[str, Lease]) -> None:
    """There are leases, and they are this stream's."""
    if not leases:
        raise PipelineError(f"Consumer application {application!r} has no leases yet: start it once.")
    if found := strangers(stream, shards, leases):
        raise PipelineError(
            f"Consumer application {application!r} reads another stream than {stream.name!r}: see {', '.join(found)}."
        )
