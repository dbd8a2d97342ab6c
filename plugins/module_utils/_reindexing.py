# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""The steps of a reindex in the cluster. Each can be repeated, as it has to be when it was interrupted."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote
from uuid import uuid4

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PassingError, PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reading import Contents, Reading, held
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import (
    BROKEN,
    COPY,
    DISCARD,
    FOLLOW,
    MARK,
    NOTHING,
    RESTORED,
    Asked,
    Family,
    Index,
    Json,
    Task,
    families,
    flat,
    kept_as,
    next_step,
    operations,
    switch,
)

T = t.TypeVar("T")
POLL_SECONDS = 0.2
# How long writes may be kept back.
BLOCKED_SECONDS = 300
# Status of an answer that a state was not reached in time.
TIMED_OUT = 408
# Status of an answer to what can never be done.
REFUSED = 400


def both(question: t.Callable[[Reading], T], ours: Reading, theirs: Reading) -> list[T]:
    """What both say to it, at once."""
    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(question, (ours, theirs))]


def is_snapshotting(client: Client) -> bool:
    """Whether a snapshot is being taken, during which no index of it can be removed."""
    return bool(client.request("GET", "/_snapshot/_status")["snapshots"])


def change_aliases(client: Client, actions: list[Json]) -> None:
    """All of it in one call, which may remove indices."""
    try:
        client.request("POST", "/_aliases", {"actions": actions})
    except ElasticsearchError as error:
        if error.status != REFUSED or "snapshot" not in str(error):
            raise
        raise PassingError(
            "A snapshot was begun, so no index can be removed. The same call goes on after it."
        ) from error


class BrokenError(PipelineError):  # type: ignore[misc] # mypy finds no collections
    """A pass of copying that ended before its end; `failures` has what the target did not take."""

    def __init__(self, family: Family, target: Index, task: Task) -> None:
        what = f"{target.index} is no copy of {family.live.index} yet: {task.explanation}."
        super().__init__(f"{what} Mend that; the same call begins it anew.")
        self.target, self.failures = target, task.failures


class Cluster:
    """The calls that a reindex makes. `rate` is documents a second and index, -1 for no limit."""

    def __init__(self, client: Client, slices: str, rate: float) -> None:
        self._client, self._slices, self._rate = client, slices, rate

    def families(self, sources: list[str]) -> list[Family]:
        """Of the names and patterns, by name."""
        found: dict[str, Json] = {}
        for source in sources:
            path = source if "*" in source else f"{source},{source}-*"
            found |= self._client.request("GET", f"/{quote(path, safe='*,')}")
        known = families(found)
        for source in sources:
            if not any(fnmatchcase(family.name, source) for family in known):
                raise PipelineError(f"source: {source!r} is neither an index nor the name of a reindexed one.")
        return [family for family in known if any(fnmatchcase(family.name, source) for source in sources)]

    def require_query(self, query: Json | None, sources: list[str]) -> None:
        """It is one, as far as can be told without running it."""
        if query is None:
            return
        path = f"/{quote(','.join(sources), safe='*,')}/_validate/query?explain=true"
        found = self._client.request("POST", path, {"query": query})
        if not found["valid"]:
            reasons = [each["error"] for each in found.get("explanations", []) if "error" in each]
            raise PipelineError(
                f"query {query} is none: {'; '.join(dict.fromkeys([found.get('error', ''), *reasons]))}"
            )

    def sizes(self, indices: list[str]) -> dict[str, tuple[int, int]]:
        """Documents and bytes of each."""
        path = f"/{quote(','.join(indices), safe=',')}/_stats/docs,store"
        found = self._client.request("GET", path)["indices"]
        silent = sorted(set(indices) - set(found))
        if silent:
            raise PassingError(f"{', '.join(silent)} does not answer. The same call goes on when it does.")
        return {
            index: (stats["primaries"]["docs"]["count"], stats["primaries"]["store"]["size_in_bytes"])
            for index, stats in found.items()
        }

    def asked(self, family: Family, options: Mapping[str, t.Any]) -> Asked:
        """What the target is to be."""
        target = family.target.index if family.target else family.next_target
        path = f"/_index_template/_simulate_index/{quote(target)}"
        nothing: Json = {"aliases": {}, "mappings": {}, "settings": {}}
        template = {**nothing, **self._client.request("POST", path).get("template", {})}
        if template["aliases"]:
            names = ", ".join(sorted(template["aliases"]))
            raise PipelineError(
                f"The templates give {target} the alias {names} at once, and searches would find it half-filled."
            )
        mappings = template["mappings"] if options["mappings"] is None else options["mappings"]
        if not mappings:
            raise PipelineError(f"No template says what the mappings of {target} are: give them as mappings.")
        settings = {**flat(template["settings"]), **flat(options["settings"])}
        return Asked(settings, mappings, options["query"], options["script"])

    def task(self, target: Index) -> Task | None:
        """The latest pass of copying into the target."""
        if not target.mark["task"]:
            return None
        return Task.of(self._client.get(f"/_tasks/{target.mark['task']}"))

    def newer(self, family: Family, target: Index) -> int:
        """How many changes the source has had since the latest pass began."""
        before = target.mark["upcoming"]
        return sum(now - then for now, then in zip(self._operations(family.live), before, strict=True))

    def create(self, family: Family, asked: Asked) -> Index:
        """An empty target, which nobody searches."""
        target = family.next_target
        mark = {
            "asked": asked.digest,
            "uuid": family.live.uuid,
            "since": -1,
            "upcoming": None,
            "task": None,
            "settler": None,
            "done": False,
        }
        # Whose documents these are does not change with their mapping.
        kept = {key: value for key, value in family.live.mappings.get("_meta", {}).items() if key == RESTORED}
        meta = {**asked.mappings.get("_meta", {}), **kept, MARK: mark}
        body = {"settings": asked.settings, "mappings": {**asked.mappings, "_meta": meta}}
        self._client.request("PUT", f"/{quote(target)}", body)
        return self._index(target)

    def discard(self, target: Index) -> None:
        self._client.request("DELETE", f"/{quote(target.index)}")

    def finish(self, live: Index) -> None:
        """Mark as done what a run that was killed right after the switch left."""
        if live.mark and not live.mark["done"]:
            self._mark(live, done=True)

    def forget_task(self, target: Index) -> None:
        """Have the next run copy again."""
        self._mark(target, task=None)

    def copy(self, family: Family, target: Index, asked: Asked, begun: bool) -> Index:
        """Begin a pass: of everything, or of what changed since the one before it began."""
        mark = target.mark
        since = min(mark["upcoming"]) if begun else mark["since"]
        # Known before it begins, so that a run that dies here leaves none that nobody knows about.
        target = self._mark(target, since=since, upcoming=self._operations(family.live))
        # A pass reads by searching, which finds no operation before a refresh.
        self._client.request("POST", f"/{quote(family.live.index)}/_refresh")
        return self._mark(target, task=self._running(target.index) or self._start(family, target, asked))

    def _start(self, family: Family, target: Index, asked: Asked) -> str:
        since = {"range": {"_seq_no": {"gt": target.mark["since"]}}}
        chosen = [each for each in (asked.query, since if target.mark["since"] >= 0 else None) if each]
        body = {
            "conflicts": "proceed",
            "source": {"index": family.live.index, **({"query": {"bool": {"filter": chosen}}} if chosen else {})},
            "dest": {"index": target.index, "version_type": "external_gte"},
            **({"script": asked.script} if asked.script else {}),
        }
        how = f"slices={self._slices}&requests_per_second={self._rate:g}"
        started: str = self._client.request("POST", f"/_reindex?wait_for_completion=false&{how}", body)["task"]
        return started

    def _running(self, target: str) -> str | None:
        """A task that copies there already."""
        nodes = self._client.request("GET", "/_tasks?detailed=true&actions=*reindex")["nodes"].values()
        tasks = {name: task for node in nodes for name, task in node["tasks"].items() if "parent_task_id" not in task}
        return next((name for name, task in tasks.items() if task["description"].endswith(f"to [{target}]")), None)

    def throttle(self, target: Index, task: Task) -> None:
        """Bring a running pass to the rate."""
        if task.rate != self._rate:
            self._client.request(
                "POST", f"/_reindex/{target.mark['task']}/_rethrottle?requests_per_second={self._rate:g}"
            )

    def is_snapshotting(self) -> bool:
        return is_snapshotting(self._client)

    def settle(self, family: Family, target: Index, asked: Asked, keep: bool) -> None:
        """Read both; while writes wait, copy what is left, compare, and have the target take the source's place."""
        with self._reading(family.live, asked.query) as ours, self._reading(target) as theirs:
            both(Reading.read, ours, theirs)
            target = self._index(target.index)  # in the minutes of reading another run may have ended it
            if target.mark["done"]:
                raise PassingError(f"Another run has taken {target.index} to its end. The same call sees it.")
            target = self._mark(target, settler=uuid4().hex)
            with self._blocked(family.live.index, target):
                target = self._finish(family, target, asked)
                self._compare(family.live.index, target, *both(Reading.now, ours, theirs))
                if keep and family.is_first:
                    self._clone(family.live, kept_as(family, target.index))
                if not self._is_settler(target):
                    raise PassingError(f"Another run takes {target.index} to its end. The same call waits for it.")
                change_aliases(self._client, switch(family, target.index, keep))
        self._mark(target, done=True)

    def _finish(self, family: Family, target: Index, asked: Asked) -> Index:
        """The last pass, unthrottled."""
        hurry = Cluster(self._client, self._slices, -1)
        begun, deadline = True, time.monotonic() + BLOCKED_SECONDS
        while True:
            target = hurry.copy(family, target, asked, begun)
            while (task := hurry.task(target)) and task.state == "running":
                if time.monotonic() > deadline:
                    raise PipelineError(
                        f"The last pass of copying {family.live.index} did not end within {BLOCKED_SECONDS} seconds."
                        " Nothing was switched, it takes writes again, and the same call goes on."
                    )
                time.sleep(POLL_SECONDS)
            if task and task.state == "ended":
                return target
            if task and task.state == "broken":
                raise BrokenError(family, target, task)
            begun = False  # its node is gone, and with it the task

    def _reading(self, index: Index, query: Json | None = None) -> Reading:
        since = min(self._operations(index))
        return Reading(self._client, index.index, query, since)

    def _compare(self, source: str, target: Index, ours: Contents, theirs: Contents) -> None:
        if ours != theirs:
            self._mark(target, asked=None)  # so that the next run makes another
            how = "ids or versions" if ours.documents == theirs.documents else "documents"
            raise PipelineError(
                f"{target.index} has {theirs.documents} documents, and {source} {ours.documents} for it: they differ"
                f" in {how}. Nothing was switched, {source} takes writes again, and the same call copies it anew."
            )

    def _clone(self, source: Index, kept: str) -> None:
        """An equal index under another name, which shares the files."""
        # All other settings are taken over.
        settings = {name: source.settings.get(name) for name in ("number_of_replicas", "auto_expand_replicas")}
        if self._client.get(f"/{quote(kept)}"):  # of a run that ended right here
            if held(self._client, kept) == held(self._client, source.index):
                return
            self._client.request("DELETE", f"/{quote(kept)}")
        self._client.request("POST", f"/{quote(source.index)}/_clone/{quote(kept)}", {"settings": settings})
        try:
            self._client.request("GET", f"/_cluster/health/{quote(kept)}?wait_for_status=yellow&timeout=20s")
        except ElasticsearchError as error:
            if error.status != TIMED_OUT:
                raise
            raise PassingError(f"{kept}, which is to keep what {source.index} was, does not come up.") from error

    @contextmanager
    def _blocked(self, index: str, target: Index) -> t.Iterator[None]:
        """Logstash tries again what is refused by the block, so nothing is lost by it."""
        blocked = self._client.request("PUT", f"/{quote(index)}/_block/write")
        try:
            if not blocked["indices"]:  # a killed run left it, and perhaps before every shard knew of it
                self._let_writes_in(index)
                blocked = self._client.request("PUT", f"/{quote(index)}/_block/write")
            if not blocked["shards_acknowledged"]:
                raise PassingError(f"Not every shard of {index} keeps writes back. The same call goes on.")
            yield
        except BaseException:
            with suppress(PipelineError):  # the first error says more
                if self._is_settler(target):
                    self._let_writes_in(index)
            raise

    def _let_writes_in(self, index: str) -> None:
        self._client.request("PUT", f"/{quote(index)}/_settings", {"index.blocks.write": None})

    def _is_settler(self, target: Index) -> bool:
        """Not when another run came after this one, which a kill can leave behind; that one needs the block."""
        found = self._client.get(f"/{quote(target.index)}")
        # One that was made anew has none, and nobody needs the block yet.
        return not found or Index.of(target.index, found[target.index]).mark["settler"] in (
            None,
            target.mark["settler"],
        )

    def _operations(self, index: Index) -> list[int]:
        """How far each shard is."""
        stats = self._client.request("GET", f"/{quote(index.index)}/_stats?level=shards")["indices"]
        shards = stats.get(index.index, {"shards": {}})["shards"]
        found: list[int] = operations(index.index, shards, int(index.settings["number_of_shards"]))
        return found

    def _index(self, index: str) -> Index:
        return Index.of(index, self._client.request("GET", f"/{quote(index)}")[index])

    def _mark(self, target: Index, **changes: object) -> Index:
        meta = {**target.mappings["_meta"], MARK: {**target.mark, **changes}}
        self._client.request("PUT", f"/{quote(target.index)}/_mapping", {"_meta": meta})
        return self._index(target.index)


@dataclass(frozen=True)
class Work:
    """A name, what its index is to be, and how far that is."""

    family: Family
    asked: Asked
    task: Task | None
    step: str

    @property
    def target(self) -> str:
        """The index that takes the place of the live one."""
        begun = self.family.target
        name: str = begun.index if begun and self.step != DISCARD else self.family.next_target
        return name


def look(cluster: Cluster, family: Family, options: Mapping[str, t.Any]) -> Work:
    asked, target = cluster.asked(family, options), family.target
    task = cluster.task(target) if target else None
    newer = cluster.newer(family, target) if target and task and task.state == "ended" else 0
    return Work(family, asked, task, next_step(family, asked, task, newer))


def advance(cluster: Cluster, work: Work, keep: bool) -> str:
    """Do the next step, and say how it is then."""
    family, asked, task, target = work.family, work.asked, work.task, work.family.target
    if work.step == NOTHING:
        return "same"
    if target and work.step == DISCARD:
        cluster.discard(target)
        target = None
    if target is None:
        made = cluster.create(family, asked)
        try:
            cluster.copy(family, made, asked, begun=False)
        except ElasticsearchError as error:
            if error.status == REFUSED:  # it would be, each time
                cluster.discard(made)
            raise
    elif task is None or work.step == COPY:
        cluster.copy(family, target, asked, begun=task is not None and task.state == "ended")
    elif work.step == FOLLOW:
        cluster.throttle(target, task)
    elif work.step == BROKEN:
        raise BrokenError(family, target, task)
    elif not cluster.is_snapshotting():
        cluster.settle(family, target, asked, keep)
        return "switched"
    return "copying"
