# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""What a reindex finds in the cluster, and what is to be done next.

An index is known by its `name`, which is that of an index at first. After a reindex it is that of an alias, on the one
of `name-000001`, `name-000002` … that is in force. The first index is kept as `name-000000`.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import flatten
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PassingError

Json = dict[str, t.Any]
NUMBERED = re.compile(r"(?P<name>.+)-(?P<number>\d{6})")
# Where an index keeps what is to be known of its making, by a reindex or a restore.
MARK, RESTORED = "reindex", "restore"
# So few new documents that they are copied while writes wait.
FEW = 1000
# What the cluster adds to an index's settings by itself.
ADDED = ("creation_date", "provided_name", "uuid", "version", "blocks", "resize", "routing_partition_size")


def is_between(name: str, first: str | None, last: str | None) -> bool:
    """Both included; where none is given there is no end."""
    return (first or "") <= name and (not last or name <= last)


def name_of(index: str) -> str:
    """The name that searches and writes use."""
    numbered = NUMBERED.fullmatch(index)
    return numbered["name"] if numbered else index


def numbered(name: str, number: int) -> str:
    return f"{name}-{number:06}"


def number_of(index: str) -> int:
    """-1 for one that is not numbered."""
    found = NUMBERED.fullmatch(index)
    return int(found["number"]) if found else -1


def flat(settings: Json) -> Json:
    """Settings that can be given, by their names within `index`."""
    named = {name.removeprefix("index."): value for name, value in flatten(settings).items()}
    return {name: value for name, value in named.items() if name.split(".")[0] not in ADDED}


@dataclass(frozen=True)
class Asked:
    """What the new index is to be, and which documents go there."""

    settings: Json  # flat, as those of an index here
    mappings: Json
    query: Json | None = None
    script: Json | None = None

    @property
    def digest(self) -> str:
        said = [self.settings, self.mappings, self.query, self.script]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Index:
    """An index as the cluster has it."""

    index: str
    uuid: str
    aliases: Mapping[str, Json]
    mappings: Json
    settings: Json

    @classmethod
    def of(cls, index: str, found: Json) -> Index:
        settings = found["settings"]["index"]
        return cls(index, settings["uuid"], found["aliases"], found["mappings"], flat(settings))

    @property
    def is_live(self) -> bool:
        """Whether its name leads to it."""
        return self.index == name_of(self.index) or name_of(self.index) in self.aliases

    @property
    def mark(self) -> Json:
        found: Json = self.mappings.get("_meta", {}).get(MARK, {})
        return found

    @property
    def plain_mappings(self) -> Json:
        """Without the marks."""
        meta = {key: value for key, value in self.mappings.get("_meta", {}).items() if key not in (MARK, RESTORED)}
        rest = {key: value for key, value in self.mappings.items() if key != "_meta"}
        return {**({"_meta": meta} if meta else {}), **rest}

    def is_as(self, asked: Asked) -> bool:
        """Whether nothing would come of a reindex."""
        if self.mark:
            return bool(self.mark["asked"] == asked.digest)
        changes = asked.query or asked.script
        return not changes and self.plain_mappings == asked.mappings and asked.settings.items() <= self.settings.items()


@dataclass(frozen=True)
class Family:
    """All indices of one name."""

    name: str
    live: Index
    others: tuple[Index, ...]

    @property
    def is_first(self) -> bool:
        """Whether the name is that of the index itself, which has to make room for an alias."""
        return self.live.index == self.name

    @property
    def target(self) -> Index | None:
        """The one that is being filled from the live one. What others have left is not touched."""
        return next(
            (index for index in self.others if index.mark.get("uuid") == self.live.uuid and not index.mark["done"]),
            None,
        )

    @property
    def next_target(self) -> str:
        """Leaves room below it for the first index, which is kept there."""
        highest = max(number_of(index.index) for index in (self.live, *self.others))
        return numbered(self.name, highest + (2 if self.is_first else 1))

    @property
    def aliases(self) -> dict[str, Json]:
        """Those that are to lead to the target, with their settings."""
        return {**self.live.aliases, self.name: {"is_write_index": True}}


def families(found: Mapping[str, Json]) -> list[Family]:
    """Of indices, those that belong together. Numbered ones whose name leads nowhere are nobody's."""
    indices = [Index.of(index, body) for index, body in sorted(found.items())]
    names = sorted({name_of(index.index) for index in indices})
    by_name = {name: [index for index in indices if name_of(index.index) == name] for name in names}
    return [
        Family(name, live, tuple(index for index in group if index is not live))
        for name, group in by_name.items()
        for live in group
        if live.is_live
    ]


@dataclass(frozen=True)
class Failure:
    """A document that the target does not take."""

    index: str
    id: str
    status: int
    reason: str

    @classmethod
    def of(cls, found: Json) -> Failure:
        cause = found["cause"]
        return cls(found["index"], found["id"], found["status"], f"{cause['type']}: {cause.get('reason', '')}")


class Task(t.NamedTuple):
    """How far a pass of copying is, or how it ended: `running`, `ended`, `broken` or `lost`."""

    state: str
    total: int = 0
    done: int = 0
    rate: float = -1.0
    failures: tuple[Failure, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, answer: Json | None) -> Task:
        if answer is None:
            return cls("lost")
        status = answer["task"]["status"]
        done = sum(status[term] for term in ("created", "updated", "version_conflicts", "noops", "deleted"))
        counts = (status["total"], done, status["requests_per_second"])
        if not answer["completed"]:
            return cls("running", *counts)
        response = answer.get("response", {})
        # What a search fails at has neither document nor index.
        found = response.get("failures", ())
        failures = tuple(Failure.of(failure) for failure in found if "cause" in failure)
        others = [str(failure["reason"]) for failure in found if "cause" not in failure]
        reason = response.get("canceled") or answer.get("error", {}).get("reason") or "; ".join(others)
        return cls("broken" if found or reason else "ended", *counts, failures, reason)

    @property
    def explanation(self) -> str:
        """Why it is broken."""
        if not self.failures:
            return self.reason
        first = self.failures[0]
        return f"it refuses {len(self.failures)} documents or more, such as {first.id} ({first.reason})"


# What to do next with a family.
NOTHING, CREATE, DISCARD, COPY, FOLLOW, BROKEN, SETTLE = (
    "nothing", "create", "discard", "copy", "follow", "broken", "settle",
)  # fmt: skip


def next_step(family: Family, asked: Asked, task: Task | None, newer: int) -> str:
    """`task` is the latest pass of copying into the target, and `newer` counts what came after it began."""
    target = family.target
    if target is None:
        return NOTHING if family.live.is_as(asked) else CREATE
    if target.mark["asked"] != asked.digest:
        return DISCARD
    if task is None or task.state == "lost":
        return COPY
    if task.state == "running":
        return FOLLOW
    if task.state == "broken":
        return BROKEN
    return COPY if newer > FEW else SETTLE


def operations(index: str, shards: Mapping[str, list[Json]], count: int) -> list[int]:
    """Of each shard, the operation up to which every copy has them all; -1 where there was none.

    What the primary alone has is not found by a search of another copy, which gives its number anew if it takes over.
    """
    primaries = {
        int(shard): [copy for copy in copies if copy["routing"]["primary"]] for shard, copies in shards.items()
    }
    absent = [shard for shard in range(count) if not primaries.get(shard)]
    if absent:
        raise PassingError(f"Shard {absent[0]} of {index} does not answer. The same call goes on when it does.")
    return [primaries[shard][0]["seq_no"]["global_checkpoint"] for shard in range(count)]


def kept_as(family: Family, target: str) -> str:
    """Where the source remains."""
    return numbered(family.name, number_of(target) - 1) if family.is_first else family.live.index


def switch(family: Family, target: str, keep: bool) -> list[Json]:
    """The actions of the one call by which all names lead to the target."""
    live = family.live.index
    away = (
        {"remove_index": {"index": live}}
        if family.is_first or not keep
        else {"remove": {"index": live, "aliases": sorted(family.live.aliases)}}
    )
    added = [{"add": {"index": target, "alias": alias, **how}} for alias, how in sorted(family.aliases.items())]
    return [away, *added]
