# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""A rewind from its options to the last lease: find the positions, write them, tell how far it is, undo it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import side_by_side
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable, OvertakenError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    AT_TIMESTAMP,
    Lease,
    Position,
    require_leases,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._manifest import Manifest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age, parse_moment
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewind import (
    BEGINNING,
    END,
    TIP,
    Move,
    Plan,
    Start,
    plan,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Shard, Stream

# Why a row cannot be put back.
GONE = "its consumer has read it to its end, and its row is gone"
# The positions that an option says more about.
BELONGS_TO = {
    "timestamp": ("at_timestamp",),
    "clamp": ("at_timestamp",),
    "sequence_numbers": ("sequence_numbers",),
    "shards": ("trim_horizon", "latest", "at_timestamp"),
    "allow_skip": ("trim_horizon", "latest", "at_timestamp", "sequence_numbers"),
}


def wanted_moment(params: Mapping[str, t.Any], retention: timedelta, now: datetime) -> datetime:
    """The time of `timestamp`, inside of what the stream keeps."""
    moment, oldest = parse_moment(params["timestamp"], now), now - retention
    if moment > now:
        raise PipelineError(f"timestamp {params['timestamp']!r} lies {age(moment - now)} in the future.")
    if moment < oldest and not params["clamp"]:
        raise PipelineError(
            f"timestamp {params['timestamp']!r} is older than what the stream keeps, {age(retention)}. The oldest time"
            f" possible is {oldest:%Y-%m-%dT%H:%M:%SZ}, which clamp=true takes."
        )
    return moment if moment > oldest else oldest


def require_options_that_belong(params: Mapping[str, t.Any]) -> None:
    """What would be passed over is refused."""
    for option, positions in BELONGS_TO.items():
        if params[option] and params["position"] not in positions:
            raise PipelineError(
                f"{option}={params[option]} goes with {' or '.join(f'position={one}' for one in positions)} only."
            )


def require_shards(params: Mapping[str, t.Any], shards: Mapping[str, Shard]) -> None:
    """What is named is there, and something is: none named would be all of them."""
    for option in ("shards", "sequence_numbers"):
        named = params[option]
        if named is None:
            continue
        unknown = sorted(set(named) - set(shards))
        if unknown or not named:
            told = f"the stream has no {', '.join(map(repr, unknown))}" if unknown else "it names none"
            raise PipelineError(f"{option}: {told}. The stream has {', '.join(sorted(shards))}.")


def wanted_numbers(params: Mapping[str, t.Any]) -> dict[str, str]:
    """The sequence numbers by shard. Without quotes YAML makes them numbers."""
    numbers = {shard: str(number) for shard, number in (params["sequence_numbers"] or {}).items()}
    for shard, number in numbers.items():
        if not number.isdecimal():
            raise PipelineError(f"sequence_numbers: {number!r} of {shard} is no sequence number.")
    return numbers


def find_starts(
    params: Mapping[str, t.Any],
    stream: Stream,
    shards: Mapping[str, Shard],
    leases: Mapping[str, Lease],
    moment: datetime,
) -> dict[str, Start]:
    """Where each shard in question is to start."""
    position, numbers = params["position"], wanted_numbers(params)
    chosen = numbers or params["shards"] or shards
    if position == "latest":
        return {
            # The library would give a closed shard that nobody has come to a lease at its beginning.
            shard: Start(END if shard not in leases and shards[shard].last_number else TIP, None)
            for shard in chosen
            # What is read to its end has no tip.
            if shard not in leases or leases[shard].position != END
        }
    if position == "trim_horizon":
        oldest = side_by_side(stream.oldest, chosen)
        return {shard: Start(BEGINNING, record) for shard, record in oldest.items()}
    if position == "sequence_numbers":
        records = side_by_side(lambda shard: stream.numbered(shard, numbers[shard]), chosen)
        unknown = sorted(shard for shard, record in records.items() if record is None)
        if unknown:
            named = ", ".join(f"{shard} has no record {numbers[shard]}" for shard in unknown)
            raise PipelineError(f"sequence_numbers: {named}, and would end there.")
    else:
        records = side_by_side(lambda shard: stream.first_since(shard, moment), chosen)
    return {
        shard: Start(Position.before(record.sequence_number) if record else None, record)
        for shard, record in records.items()
    }


def is_whole(params: Mapping[str, t.Any]) -> bool:
    """Whether all shards are read again from some time on, those below others after them."""
    return params["position"] in ("trim_horizon", "at_timestamp") and not params["shards"]


def prepare(params: Mapping[str, t.Any], table: LeaseTable, stream: Stream, now: datetime) -> Plan:
    """What is to be written, from what the table and the stream hold now."""
    if params["position"] == "latest" and not params["allow_skip"]:
        raise PipelineError("position=latest skips what the consumer has not had yet, so it needs allow_skip=true.")
    moment = wanted_moment(params, stream.retention(), now) if params["position"] == "at_timestamp" else now
    leases, shards = table.read(), stream.shards()
    require_leases(stream, table.name, shards, leases)
    require_shards(params, shards)
    starts = find_starts(params, stream, shards, leases, moment)
    if not params["allow_skip"]:
        require_known_places(leases, starts)
    planned = plan(shards, leases, starts, params["allow_skip"], is_whole(params))
    # Where a worker begins again at its own checkpoint, what comes first is what follows that.
    standing = {move.shard.id: move.target for move in planned.moves if move.stays and move.record is None}
    records = side_by_side(lambda shard: stream.first(shard, standing[shard].iterator), standing)
    moves = [replace(move, record=records.get(move.shard.id, move.record)) for move in planned.moves]
    return planned._replace(moves=moves)


def require_known_places(leases: Mapping[str, Lease], starts: Mapping[str, Start]) -> None:
    """Nobody can tell whether a record lies before or after a place that only the consumer knows."""
    unknown = sorted(
        shard
        for shard, start in starts.items()
        if start.position and start.position.is_number
        if shard in leases and leases[shard].position.checkpoint == AT_TIMESTAMP
    )
    if unknown:
        raise PipelineError(
            f"{', '.join(unknown)}: the consumer begins at a time that its own configuration knows, and has"
            " checkpointed nothing yet. Let it do that first, or say allow_skip=true, which may skip what lies between."
        )


@contextmanager
def resumable(manifest: Manifest) -> t.Iterator[None]:
    """Whatever fails in here says how far the rewind has come, and how it goes on or back."""
    try:
        yield
    except PipelineError as error:
        told = f"{error} {len(manifest.written)} of {len(manifest.moves)} shards are written"
        is_over = isinstance(error, OvertakenError)
        ways = [] if is_over else [f"resume={manifest.path} writes the rest"]
        if manifest.written or ways:
            ways.append(f"restore={manifest.path} puts them back{', after the other one' if is_over else ''}")
        raise PipelineError(f"{told}{': ' if ways else ''}{', '.join(ways)}.") from error


def write(table: LeaseTable, manifest: Manifest) -> None:
    """Place every lease that is not placed yet, parents before children."""
    rest = {move.shard.id: move for move in manifest.rest()}

    def place(shard: str) -> None:
        move = rest[shard]
        manifest.require_not_put_back()
        table.place(move.shard, move.former, move.target, manifest.id)
        manifest.note(shard)

    for generation in sorted({move.generation for move in rest.values()}):
        side_by_side(place, [shard for shard, move in rest.items() if move.generation == generation])


def overtaken(table: LeaseTable, stream: Stream, manifest: Manifest) -> list[Move]:
    """What a reshard made, and a worker began, between the plan and the writing: it comes again after its parents."""
    moved = {move.shard.id: move for move in manifest.moves}
    shards, leases = stream.shards(), table.read()
    found = {
        shard: max(moved[parent].generation for parent in shards[shard].parents if parent in moved)
        for shard, lease in leases.items()
        if shard not in moved and shard in shards and (lease.owner or lease.position.order > BEGINNING.order)
        if moved.keys() & set(shards[shard].parents)
    }
    records = side_by_side(stream.oldest, found)
    return [
        Move(shards[shard], leases[shard], BEGINNING, records[shard], generation + 1)
        for shard, generation in found.items()
    ]


def carry_out(table: LeaseTable, stream: Stream, manifest: Manifest) -> list[Move]:
    """Write all of the rewind. What it had to take in on the way is returned."""
    write(table, manifest)
    if manifest.settled:  # what children do from now on they do after their parents
        return []
    late = overtaken(table, stream, manifest)
    if not late:
        manifest.settle()
        return []
    manifest.extend(late)
    return late + carry_out(table, stream, manifest)


def restorable(table: LeaseTable, manifest: Manifest, leases: Mapping[str, Lease]) -> dict[str, Lease]:
    """The leases that the rewind wrote and that are not put back yet."""
    formers = {move.shard.id: move.former.rewind for move in manifest.moves if move.former}
    others = sorted(
        shard
        for shard in manifest.written & set(leases)
        if leases[shard].rewind not in {manifest.id, manifest.restored_id, formers.get(shard)}
    )
    if others:
        raise PipelineError(
            f"Another rewind of {table.name!r} came later and placed {', '.join(others)}: restore that one first."
        )
    return {shard: lease for shard, lease in leases.items() if lease.rewind == manifest.id}


def gone(manifest: Manifest, leases: Mapping[str, Lease]) -> dict[str, str]:
    """Of the shards that the rewind wrote, those whose former row cannot come back, with the reason."""
    former = {move.shard.id for move in manifest.moves if move.former}
    return dict.fromkeys(sorted(former & manifest.written - set(leases)), GONE)


def put_back(table: LeaseTable, manifest: Manifest, leases: Mapping[str, Lease]) -> None:
    """Give each of these leases its former position, children before parents; rows that were made go."""
    moves = {move.shard.id: move for move in manifest.moves if move.shard.id in leases}

    def put(shard: str) -> None:
        move = moves[shard]
        if move.former:
            # So that the rewind before this one finds its own again, and can be put back as well.
            table.place(move.shard, leases[shard], move.former.position, move.former.rewind or manifest.restored_id)
        else:
            table.remove(leases[shard])

    for generation in sorted({move.generation for move in moves.values()}, reverse=True):
        side_by_side(put, [shard for shard, move in moves.items() if move.generation == generation])
