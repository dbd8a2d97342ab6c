# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""How far a rewind is, for people and for programs."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import side_by_side
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lag import lags, longest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable, OvertakenError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._manifest import Manifest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewind import Move
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Stream

# Each state includes those before it.
PLANNED, WRITTEN, TAKEN, MOVED = "planned", "written", "taken", "moved"


def states(manifest: Manifest, leases: Mapping[str, Lease]) -> dict[str, str]:
    """How far each shard of a rewind is, by its row as it is now. One that was overtaken by another rewind is over."""
    others = sorted(
        shard
        for shard, lease in leases.items()
        if shard in manifest.written and lease.rewind not in {None, manifest.id}
    )
    if others:
        raise OvertakenError(
            f"Another rewind of {manifest.application!r}, {leases[others[0]].rewind!r}, has placed {', '.join(others)}"
            " since, so nobody can say how far this one is. See where that one went."
        )
    shards = [(move.shard.id, move) for move in manifest.moves]
    return {shard: _state(move, leases.get(shard), manifest.id, shard in manifest.written) for shard, move in shards}


def _state(move: Move, lease: Lease | None, rewind: str, written: bool) -> str:
    if lease is None or lease.rewind != rewind:
        # The library removes rows of shards that are read to their end.
        return MOVED if written else PLANNED
    if lease.owner is None:
        return WRITTEN
    return TAKEN if lease.position == move.target and move.record else MOVED


def place(position: Position, record: Record | None, now: datetime) -> dict[str, t.Any]:
    """A position for people, with the time of its record where that is known."""
    arrival = record.arrival if record else None
    return {
        "checkpoint": position.checkpoint,
        "time": arrival and arrival.isoformat(timespec="milliseconds"),
        "age": arrival and age(now - arrival),
    }


def line(shard: str, position: dict[str, t.Any] | None, again: bool) -> str:
    """One shard's line of a diff."""
    if position is None:
        return f"{shard}  no lease"
    when = f"  {position['time']}  {position['age']} ago" if position["time"] else ""
    return f"{shard}  {position['checkpoint']}{when}{'  once more' if again else ''}"


def diff(moves: list[dict[str, t.Any]]) -> dict[str, str]:
    """All of them, for C(--diff)."""
    return {
        "before": "".join(f"{line(move['shard'], move['before'], False)}\n" for move in moves),
        # Without a word there would be no difference, though what its worker has under way comes again.
        "after": "".join(f"{line(move['shard'], move['after'], move['before'] == move['after'])}\n" for move in moves),
    }


def summary(states: Mapping[str, str]) -> str:
    """All of them in one line."""
    if not states:
        return "no shard to move"
    count = Counter(states.values())
    moved, taken = count[MOVED], count[MOVED] + count[TAKEN]
    return f"{len(states)} shards to move: {taken + count[WRITTEN]} written, {taken} taken again, {moved} moved on"


def describe(moves: list[Move], stream: Stream, now: datetime) -> list[dict[str, t.Any]]:
    """From where to where each shard goes."""
    formers = {move.shard.id: move.former.position for move in moves if move.former}
    numbered = [shard for shard, position in formers.items() if position.is_number]
    records = side_by_side(lambda shard: stream.numbered(shard, formers[shard].checkpoint), numbered)

    return [
        {
            "shard": move.shard.id,
            "before": place(move.former.position, records.get(move.shard.id), now) if move.former else None,
            "after": place(move.target, records.get(move.shard.id) if move.stays else move.record, now),
        }
        for move in moves
    ]


def report(
    table: LeaseTable, stream: Stream, manifest: Manifest, moves: list[dict[str, t.Any]], with_lag: bool
) -> dict[str, t.Any]:
    """What the rewind has moved, and how far its consumer is with it."""
    leases = table.read()
    found = states(manifest, leases)
    moving = {shard: lease for shard, lease in leases.items() if shard in found}
    lag = {"lag": longest(lags(moving, stream).values())} if with_lag else {}
    return {
        **lag,
        "done": set(found.values()) <= {MOVED},
        "summary": summary(found),
        "moves": moves,
        "states": found,
        "manifest": manifest.path,
    }
