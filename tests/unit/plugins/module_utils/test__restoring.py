# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restore import BEGIN, FOLLOW, Snapshot
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restoring import Cluster

DAY = "day-2026.11.20"
FOUND = {
    "snapshot": "one",
    "uuid": "u",
    "state": "SUCCESS",
    "start_time_in_millis": 1795743000000,
    "indices": [f"{DAY}-000001"],
}
TWO = {**FOUND, "snapshot": "two", "uuid": "v", "start_time_in_millis": 1795843000000}
PARAMS = {"snapshot": None, "first": None, "last": None, "in_place": True}
Json = dict[str, t.Any]


def index(*aliases: str) -> Json:
    return {"aliases": {alias: {} for alias in aliases}, "mappings": {}, "settings": {"index": {"uuid": "x"}}}


def unfinished(index: str, uuid: str = "u", snapshot: str = "one") -> Json:
    return {index: {"mappings": {"_meta": {"restore": {"snapshot": snapshot, "uuid": uuid, "done": False}}}}}


class FakeElasticsearch:
    """Answers by path, patterns included."""

    def __init__(self, indices: dict[str, Json], recovered: dict[str, str] | None = None) -> None:
        self.indices, self.recovered, self.unfinished = indices, recovered or {}, dict[str, Json]()

    def request(self, method: str, path: str, body: object = None) -> Json:
        assert (method, body) == ("GET", None)
        if path.startswith("/_snapshot/"):
            return {"snapshots": [FOUND, TWO]}
        if path.startswith("/_all/_mapping"):
            return self.unfinished
        prefix = path.split("*")[0].removeprefix("/")
        found = {name: body for name, body in self.indices.items() if name.startswith(prefix)}
        if not path.endswith("_recovery"):
            return found
        sources = {name: self.recovered.get(name) for name in found}
        return {name: {"shards": [{"source": {"repository": "store", "snapshot": of}}]} for name, of in sources.items()}


def cluster(fake: FakeElasticsearch) -> Cluster:
    return Cluster(t.cast(Client, Mock(spec=Client, request=fake.request)), "store")


@pytest.mark.parametrize("living", [DAY, f"{DAY}-000002"])
def test_a_living_index_of_another_number_is_found(living: str) -> None:
    restoring = cluster(FakeElasticsearch({living: index(DAY) if living != DAY else index()}))
    (place,) = restoring.places(Snapshot.of(FOUND), PARAMS)
    assert place.replaced
    assert (place.replaced.index, place.step) == (living, BEGIN)
    assert place.target not in (living, DAY)


@pytest.mark.parametrize("in_place", [True, False])
def test_one_whose_mark_was_never_made_is_gone_on_with(in_place: bool) -> None:
    target = f"{DAY}-000001" if in_place else f"restored-{DAY}-000001"
    restoring = cluster(FakeElasticsearch({target: index()}, {target: "one"}))
    (place,) = restoring.places(Snapshot.of(FOUND), {**PARAMS, "in_place": in_place})
    assert (place.target, place.step) == (target, FOLLOW)


def test_a_restore_that_is_unfinished_is_gone_on_with_unless_a_snapshot_is_newer() -> None:
    fake = FakeElasticsearch({})
    assert cluster(fake).snapshot(PARAMS).name == "two"
    fake.unfinished = unfinished(DAY, uuid="v", snapshot="two")
    assert cluster(fake).snapshot(PARAMS).name == "two"
    fake.unfinished = unfinished(DAY)
    with pytest.raises(PipelineError, match=f"The restore of {DAY} from one is not done, and two is newer"):
        cluster(fake).snapshot(PARAMS)
    assert cluster(fake).snapshot({**PARAMS, "snapshot": "two"}).name == "two"


@pytest.mark.parametrize(
    "left",
    [unfinished(f"restored-{DAY}"), unfinished("day-2026.11.19"), unfinished(DAY, uuid="of another repository")],
    ids=["beside", "another day", "another repository"],
)
def test_one_of_something_else_does_not(left: Json) -> None:
    fake = FakeElasticsearch({})
    fake.unfinished = left
    assert cluster(fake).snapshot({**PARAMS, "first": DAY}).name == "two"


@pytest.mark.parametrize("name", ["", "_all", "*", "store*", "one,two"])
def test_what_names_several_repositories_is_refused(name: str) -> None:
    with pytest.raises(PipelineError, match="is no name of one repository"):
        Cluster(Mock(spec=Client), name)
