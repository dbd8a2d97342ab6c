# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""What a repository of snapshots has, and where each index of a snapshot is to go."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import (
    RESTORED,
    Index,
    Json,
    families,
    is_between,
    name_of,
    number_of,
    numbered,
)

BESIDE = "restored-"
# What decides so when a restore of the shard was begun and has failed.
GIVEN_UP = "restore_in_progress"


@dataclass(frozen=True)
class Snapshot:
    name: str
    uuid: str
    state: str
    start: datetime
    sizes: Mapping[str, int]  # bytes, by index

    @classmethod
    def of(cls, found: Json) -> Snapshot:
        """From an answer with `index_details`, which lacks what an old repository does not know."""
        details = found.get("index_details", {})
        sizes = {index: details.get(index, {}).get("size_in_bytes", 0) for index in found["indices"]}
        start = datetime.fromtimestamp(found["start_time_in_millis"] // 1000, UTC)
        return cls(found["snapshot"], found["uuid"], found["state"], start, sizes)


def gone_on_with(unfinished: Snapshot, snapshots: Iterable[Snapshot], index: str) -> str:
    """The name of the snapshot that was begun with.

    Where a later one is whole, it would take away what that has, which somebody has to want.
    """
    newer = [each.name for each in snapshots if each.state == "SUCCESS" and each.start > unfinished.start]
    if newer:
        raise PipelineError(
            f"The restore of {index} from {unfinished.name} is not done, and {newer[-1]} is newer. Say as snapshot from"
            " which of them the indices are to come."
        )
    return unfinished.name


def choose(snapshots: Iterable[Snapshot], name: str | None, repository: str) -> Snapshot:
    """The named one, or the latest that is whole."""
    known = {snapshot.name: snapshot for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.start)}
    if name is None:
        whole = [snapshot for snapshot in known.values() if snapshot.state == "SUCCESS"]
        if not whole:
            raise PipelineError(f"repository: {repository!r} has no snapshot that is whole.")
        return whole[-1]
    if name not in known:
        has = ", ".join(known) or "none"
        raise PipelineError(f"snapshot: {name!r} is not in the repository {repository!r}. It has {has}.")
    if known[name].state != "SUCCESS":
        raise PipelineError(f"snapshot: {name!r} is {known[name].state}, so it is not whole. Choose another.")
    return known[name]


def wanted(snapshot: Snapshot, first: str | None, last: str | None) -> list[str]:
    """Its indices from one name to another, both included."""
    by_name: dict[str, list[str]] = {}
    for index in sorted(snapshot.sizes):
        if is_between(name_of(index), first, last):
            by_name.setdefault(name_of(index), []).append(index)
    if not by_name:
        between = f" from {first or 'the first'} to {last or 'the last'}" if first or last else ""
        raise PipelineError(f"The snapshot {snapshot.name!r} has no index{between}.")
    for name, indices in by_name.items():
        if len(indices) > 1:
            has = " and ".join(indices)
            raise PipelineError(f"The snapshot {snapshot.name!r} has {has}: which of them was {name} cannot be told.")
    return [index for indices in by_name.values() for index in indices]


# What to do next with an index.
NOTHING, BEGIN, FOLLOW = "nothing", "begin", "follow"


@dataclass(frozen=True)
class Place:
    """Where an index of the snapshot goes."""

    index: str
    target: str
    replaced: Index | None
    step: str
    is_searched: bool  # whether the target is to have the name and the aliases
    left: tuple[str, ...] = ()  # of restores from other snapshots that were never done

    @property
    def name(self) -> str:
        named: str = name_of(self.index)
        return named


def origin(index: Index) -> Json:
    """Which snapshot it comes from, and whether it is where it is to be."""
    found: Json = index.mappings.get("_meta", {}).get(RESTORED, {})
    return found


def mark(snapshot: Snapshot, done: bool) -> Json:
    return {"snapshot": snapshot.name, "uuid": snapshot.uuid, "done": done}


def beside(snapshot: Snapshot, index: str, there: Index | None) -> Place:
    """Under another name, which nobody searches."""
    target = BESIDE + index
    if there and origin(there).get("uuid") != snapshot.uuid:
        other = origin(there).get("snapshot", "something else")
        raise PipelineError(f"{target} is there, from {other}. Remove it first.")
    step = NOTHING if there and origin(there)["done"] else FOLLOW if there else BEGIN
    return Place(index, target, None, step, is_searched=False)


def in_place(snapshot: Snapshot, index: str, group: Mapping[str, Json]) -> Place:
    """Under its name, for which the living one makes room at the end. `group` is what the cluster has of that name."""
    found = [Index.of(name, body) for name, body in sorted(group.items())]
    ours = [each for each in found if origin(each).get("uuid") == snapshot.uuid]
    begun = next((each.index for each in ours if not origin(each)["done"]), None)
    family = next(iter(families({name: body for name, body in group.items() if name != begun})), None)
    if family and family.target:
        raise PipelineError(
            f"{family.target.index} is being filled by a reindex of {family.live.index}, which a restore would remove."
            " End the reindex first, by its own command."
        )
    live = family.live if family else None
    others = (each for each in found if each not in ours and each != live)
    left = tuple(each.index for each in others if origin(each) and not origin(each)["done"])
    if begun:
        return Place(index, begun, live, FOLLOW, is_searched=True, left=left)
    if live in ours and live:
        return Place(index, live.index, None, NOTHING, is_searched=True)
    if live or index in group:
        free = numbered(name_of(index), max(0, *(number_of(each) for each in group)) + 1)
        return Place(index, free, live, BEGIN, is_searched=True, left=left)
    return Place(index, index, None, BEGIN, is_searched=True)


def switch(place: Place, aliases: Mapping[str, Json]) -> list[Json]:
    """The actions of the one call by which all names lead to the target."""
    gone = [*([place.replaced.index] if place.replaced else []), *place.left]
    away = [{"remove_index": {"index": index}} for index in gone]
    name: dict[str, Json] = {} if place.target == place.name else {place.name: {"is_write_index": True}}
    names = {**{alias: how for alias, how in aliases.items() if alias != place.name}, **name}
    return [*away, *({"add": {"index": place.target, "alias": alias, **names[alias]}} for alias in sorted(names))]


class Shard(t.NamedTuple):
    """A primary that is not there."""

    number: int
    is_given_up: bool  # by the cluster, for good; what else keeps it away, such as a full disk, may pass
    reason: str

    @classmethod
    def of(cls, explained: Json) -> Shard:
        nodes = explained.get("node_allocation_decisions", ())
        deciders = [decider for node in nodes for decider in node.get("deciders", ())]
        refused = [decider for decider in deciders if decider["decision"] == "NO"]
        refusals = [decider["explanation"] for decider in refused]
        details = explained.get("unassigned_info", {}).get("details", "").splitlines()
        # What Java says at first, and in the end.
        causes = [line for line in details if line.startswith("Caused by: ")]
        reason = "; ".join(dict.fromkeys([*details[:1], *causes[-1:], *refusals]))
        return cls(explained["shard"], any(decider["decider"] == GIVEN_UP for decider in refused), reason)
