# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Which leases a rewind changes, and in which order."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    Lease,
    Position,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard

BEGINNING, TIP, END = Position(TRIM_HORIZON), Position(LATEST), Position(SHARD_END)
SKIPPING = {TIP, END}  # past all that a shard holds

# Why a lease stays as it is.
NO_RECORD = "no record of that time"
TO_COME = "its consumer has not come to it yet"
THERE = "already there"
BEHIND = "its consumer has not come that far"
DONE = "its consumer is done with it"


class Start(t.NamedTuple):
    """Where a shard is to start, and the record that then comes first; no position where no record is wanted."""

    position: Position | None
    record: Record | None


@dataclass(frozen=True)
class Move:
    """One lease's way. A shard without a row gets one."""

    shard: Shard
    former: Lease | None
    target: Position
    record: Record | None  # the one that then comes first
    generation: int  # parents are written before their children

    @property
    def stays(self) -> bool:
        """Whether the lease is only taken from its worker, which begins again where its checkpoint is."""
        return self.former is not None and self.former.position == self.target


class Plan(t.NamedTuple):
    moves: list[Move]
    kept: dict[str, str]  # shard: why its lease stays as it is


class Lineage:
    """Who descends from whom, among the shards that the stream still has."""

    def __init__(self, shards: Mapping[str, Shard]) -> None:
        self._parents = {
            shard.id: [parent for parent in shard.parents if parent in shards] for shard in shards.values()
        }
        self.generation: dict[str, int] = {}
        for shard in sorted(shards):  # a child is made after its parents, and its id says so
            self.generation[shard] = 1 + max((self.generation[parent] for parent in self._parents[shard]), default=-1)
        self.ordered = sorted(shards, key=lambda shard: (self.generation[shard], shard))

    def with_ancestor_in(self, chosen: t.Collection[str]) -> set[str]:
        """The shards of which some ancestor is chosen."""
        found: set[str] = set()
        for shard in self.ordered:
            if any(parent in chosen or parent in found for parent in self._parents[shard]):
                found.add(shard)
        return found

    def with_descendant_in(self, chosen: t.Collection[str]) -> set[str]:
        """The shards of which some descendant is chosen."""
        found: set[str] = set()
        for shard in reversed(self.ordered):
            if shard in chosen or shard in found:
                found.update(self._parents[shard])
        return found


def plan(
    shards: Mapping[str, Shard],
    leases: Mapping[str, Lease],
    starts: Mapping[str, Start],
    allow_skip: bool,
    whole: bool,
) -> Plan:
    """Bring the leases to where reading is to start.

    A checkpoint is older than what its worker has delivered, by all that came since it was written. So a lease that has
    an owner is taken from it even where it stands right, or has not come that far: it stays there, and what its worker
    had under way past the start comes again.

    `starts` names the shards in question. When these are all shards, as `whole` says, those below one that is read
    again are read again from their beginning, after it.
    """
    lineage = Lineage(shards)
    to_come = lineage.with_ancestor_in(leases) - lineage.with_descendant_in(leases) - set(leases)
    moves: list[Move] = []
    kept: dict[str, str] = {}
    again: set[str] = set()
    for shard in (shard for shard in lineage.ordered if shard in starts):
        repeated = whole and any(parent in again for parent in shards[shard].parents)
        target = BEGINNING if repeated else starts[shard].position
        lease = leases.get(shard)
        held = lease is not None and lease.owner is not None
        if target is None:
            kept[shard] = NO_RECORD
        elif target == END and shard not in to_come:
            kept[shard] = DONE
        elif shard in to_come and target not in SKIPPING:
            kept[shard] = TO_COME
        elif lease and lease.position == target and not held:
            kept[shard] = THERE
        elif lease and target.order > lease.position.order and not allow_skip:
            if held:
                moves.append(Move(shards[shard], lease, lease.position, None, lineage.generation[shard]))
            else:
                kept[shard] = BEHIND
        else:
            moves.append(Move(shards[shard], lease, target, starts[shard].record, lineage.generation[shard]))
        if target and target not in SKIPPING and kept.get(shard) in {None, THERE}:
            again.add(shard)
    return Plan(moves, kept)
