# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""The steps of a restore in the cluster. Each can be repeated, as it has to be when it was interrupted."""

from __future__ import annotations

import typing as t
from os.path import commonprefix
from urllib.parse import quote

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import (
    RESTORED,
    Index,
    Json,
    is_between,
    name_of,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import (
    change_aliases,
    is_snapshotting,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restore import (
    BEGIN,
    BESIDE,
    NOTHING,
    Place,
    Shard,
    Snapshot,
    beside,
    choose,
    gone_on_with,
    in_place,
    mark,
    switch,
    wanted,
)


class LostError(PipelineError):  # type: ignore[misc] # mypy finds no collections
    """The cluster has given up a shard."""

    def __init__(self, place: Place, snapshot: Snapshot, shard: Shard) -> None:
        self.place = place
        super().__init__(f"{place.index} cannot be restored from {snapshot.name}: shard {shard.number}: {shard.reason}")


class Cluster:
    """The calls that a restore makes."""

    def __init__(self, client: Client, repository: str) -> None:
        if not repository or repository == "_all" or set(repository) & set("*,"):
            raise PipelineError(f"repository: {repository!r} is no name of one repository.")
        self._client, self._repository = client, repository

    def snapshot(self, params: dict[str, t.Any]) -> Snapshot:
        """The one asked for; else one of which a restore of these indices is unfinished, or the latest."""
        path = f"/_snapshot/{quote(self._repository)}/*?index_details=true"
        found = [*map(Snapshot.of, self._client.request("GET", path)["snapshots"])]
        return choose(found, params["snapshot"] or self._unfinished(found, params), self._repository)

    def _unfinished(self, snapshots: list[Snapshot], params: dict[str, t.Any]) -> str | None:
        known = {snapshot.uuid: snapshot for snapshot in snapshots}
        path = f"/_all/_mapping?filter_path=*.mappings._meta.{RESTORED}"
        for index, each in sorted(self._client.request("GET", path).items()):
            found = each["mappings"]["_meta"][RESTORED]
            is_asked_for = index.startswith(BESIDE) != params["in_place"] and is_between(
                name_of(index.removeprefix(BESIDE)), params["first"], params["last"]
            )
            if is_asked_for and not found["done"] and found["uuid"] in known:
                name: str = gone_on_with(known[found["uuid"]], snapshots, index)
                return name
        return None

    def places(self, snapshot: Snapshot, params: dict[str, t.Any]) -> list[Place]:
        """Of the indices asked for, by name."""
        indices = wanted(snapshot, params["first"], params["last"])
        pattern = commonprefix([name_of(index) for index in indices]) + "*"  # noqa: RUF071 - these are no paths
        if not params["in_place"]:
            there = self._there(BESIDE + pattern, snapshot)
            found = {each: Index.of(each, body) for each, body in there.items()}
            return [beside(snapshot, index, found.get(BESIDE + index)) for index in indices]
        groups: dict[str, dict[str, Json]] = {}
        for each, body in self._there(pattern, snapshot).items():
            groups.setdefault(name_of(each), {})[each] = body
        return [in_place(snapshot, index, groups.get(name_of(index), {})) for index in indices]

    def _there(self, pattern: str, snapshot: Snapshot) -> dict[str, Json]:
        """Indices, with the mark on those, too, whose restore was begun by a run that ended before it made it."""
        found = self._indices(pattern)
        recoveries = self._client.request("GET", f"/{quote(pattern, safe='*')}/_recovery")
        for index, recovery in recoveries.items():
            sources = [
                (each["source"].get("repository"), each["source"].get("snapshot")) for each in recovery["shards"]
            ]
            if (self._repository, snapshot.name) in sources:
                meta = found[index]["mappings"].setdefault("_meta", {})
                meta.setdefault(RESTORED, mark(snapshot, done=False))
        return found

    def begin(self, place: Place, snapshot: Snapshot) -> None:
        body = {
            "indices": place.index,
            "rename_pattern": ".+",
            "rename_replacement": place.target,
            "include_global_state": False,
            "include_aliases": False,
            # A reindex was at its end just then.
            "ignore_index_settings": ["index.blocks.write"],
        }
        path = f"/_snapshot/{quote(self._repository)}/{quote(snapshot.name)}/_restore"
        self._client.request("POST", path, body)
        self._mark(place, snapshot, done=False)

    def lacking(self, place: Place) -> list[Shard]:
        """Primaries that are not there yet."""
        path = f"/_cluster/health/{quote(place.target)}?level=shards"
        shards = self._client.request("GET", path)["indices"][place.target]["shards"]
        numbers = [int(number) for number, shard in shards.items() if not shard["primary_active"]]
        return [self._explain(place.target, number) for number in numbers]

    def settle(self, place: Place, snapshot: Snapshot) -> None:
        if place.is_searched:
            aliases = place.replaced.aliases if place.replaced else self._template_aliases(place.name)
            actions = switch(place, aliases)
            if actions:
                change_aliases(self._client, actions)
        self._mark(place, snapshot, done=True)

    def give_up(self, place: Place) -> None:
        """So that the next call begins it anew."""
        self._client.request("DELETE", f"/{quote(place.target)}")

    def is_snapshotting(self) -> bool:
        """Whether the cluster would refuse to remove an index."""
        snapshotting: bool = is_snapshotting(self._client)
        return snapshotting

    def restored_bytes(self, place: Place) -> int:
        found = self._client.request("GET", f"/{quote(place.target)}/_recovery").get(place.target, {"shards": []})
        return sum(shard["index"]["size"]["recovered_in_bytes"] for shard in found["shards"] if shard["primary"])

    def _explain(self, index: str, number: int) -> Shard:
        body = {"index": index, "shard": number, "primary": True}
        return Shard.of(self._client.request("GET", "/_cluster/allocation/explain", body))

    def _template_aliases(self, name: str) -> dict[str, Json]:
        answer = self._client.request("POST", f"/_index_template/_simulate_index/{quote(name)}")
        found: dict[str, Json] = answer.get("template", {}).get("aliases", {})
        return found

    def _indices(self, pattern: str) -> dict[str, Json]:
        found: dict[str, Json] = self._client.request("GET", f"/{quote(pattern, safe='*')}")
        return found

    def _mark(self, place: Place, snapshot: Snapshot, done: bool) -> None:
        meta = self._indices(place.target)[place.target]["mappings"].get("_meta", {})
        body = {"_meta": {**meta, RESTORED: mark(snapshot, done)}}
        self._client.request("PUT", f"/{quote(place.target)}/_mapping", body)


def advance(cluster: Cluster, place: Place, snapshot: Snapshot) -> str:
    """Do the next step, and say how it is then."""
    if place.step == NOTHING:
        return "same"
    if place.step == BEGIN:
        cluster.begin(place, snapshot)
        return "restoring"
    lacking = cluster.lacking(place)
    lost = next((shard for shard in lacking if shard.is_given_up), None)
    if lost:
        raise LostError(place, snapshot, lost)
    if lacking or ((place.replaced or place.left) and cluster.is_snapshotting()):
        return "restoring"
    cluster.settle(place, snapshot)
    return "restored"
