# SPDX-License-Identifier: GPL-3.0-or-later
"""Small indices made anew in the landscape's cluster: each step, and what a step that fails leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _reindexing
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PassingError, PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reading import Contents, Reading, View
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import BrokenError, Cluster
from ansible_collections.simple_analytics.pipeline.plugins.modules import elasticsearch_reindex

from sandbox.local import ELASTICSEARCH

from .conftest import Json, Landscape, until

DOCUMENTS = 10
MAPPINGS = {"properties": {"n": {"type": "integer"}}}
Reindex = Callable[..., tuple[Json, list[BrokenError]]]


@pytest.fixture
def client(landscape: Landscape, tmp_path: Path) -> Client:
    authority = tmp_path / "ca.pem"
    authority.write_text(landscape.secret("elasticsearch_ca_certificate"))
    password = landscape.secret("elasticsearch_elastic_password")
    params = {"url": [ELASTICSEARCH], "username": "elastic", "password": password, "ca_path": str(authority)}
    return Client.from_params(params)


@pytest.fixture
def name(client: Client) -> Iterator[str]:
    """An index of a few numbers on two shards."""
    name = f"numbers-{uuid4().hex[:8]}"
    client.request("PUT", f"/{name}", {"settings": {"number_of_shards": 2}})
    for number in range(DOCUMENTS):
        put(client, name, str(number), number)
    yield name
    for index in client.request("GET", f"/{name}*"):
        client.request("DELETE", f"/{index}")


@pytest.fixture
def reindex(client: Client, name: str) -> Reindex:
    """One call of the module."""

    def call(rate: int = -1, **given: object) -> tuple[Json, list[BrokenError]]:
        params: Json = {"source": [name], "first": None, "last": None, "settings": {}, "mappings": MAPPINGS}
        params |= {"query": None, "script": None, "slices": "auto", "rate": 0, "parallel": 1, "keep_source": True}
        module = SimpleNamespace(check_mode=False, params=params | given)
        result: tuple[Json, list[BrokenError]] = elasticsearch_reindex.run(module, Cluster(client, "auto", rate))
        return result

    return call


def put(client: Client, index: str, document: str, number: object) -> None:
    client.request("PUT", f"/{index}/_doc/{document}", {"n": number})


def count(client: Client, index: str) -> int:
    client.request("POST", f"/{index}/_refresh")
    found: int = client.request("GET", f"/{index}/_count")["count"]
    return found


def is_copied(client: Client, name: str) -> bool:
    """Whether the first pass has ended."""
    found = client.request("GET", f"/{name}-000001")[f"{name}-000001"]
    task = found["mappings"]["_meta"]["reindex"]["task"]
    return bool(client.request("GET", f"/_tasks/{task}")["completed"])


@pytest.mark.parametrize("query", [None, {"range": {"n": {"gte": 5}}}])
def test_what_an_index_holds_is_known_from_what_changed(client: Client, name: str, query: Json | None) -> None:
    def held() -> Contents:
        with View(client, name) as view:
            return view.contents(query)

    with Reading(client, name, query, since=2) as reading:
        reading.read()
        before = held()
        assert reading.now() == before
        for document, number in {
            "3": 7,
            "8": 1,
            "9": 9,
            "new": 20,
        }.items():  # one comes, one goes, one stays, one is new
            put(client, name, document, number)
        assert reading.now() == held() != before


def test_the_new_index_is_what_was_asked_for(client: Client, name: str, reindex: Reindex) -> None:
    asked: Json = {"query": {"range": {"n": {"gte": 5}}}, "script": {"source": "ctx._source.m = ctx._source.n + 1"}}
    asked["settings"] = {"number_of_replicas": 0, "refresh_interval": "7s"}
    until("it is as asked", lambda: reindex(**asked)[0]["done"])
    (made,) = client.request("GET", f"/{name}").values()
    assert made["mappings"]["properties"]["n"] == {"type": "integer"}
    assert made["settings"]["index"]["refresh_interval"] == "7s"
    assert (count(client, name), count(client, f"{name}-000000")) == (5, DOCUMENTS)
    assert client.request("GET", f"/{name}/_doc/7")["_source"] == {"n": 7, "m": 8}
    assert reindex(**asked)[0]["changed"] is False


def test_what_the_new_index_refuses_is_named_and_nothing_changes(client: Client, name: str, reindex: Reindex) -> None:
    mappings = {"properties": {"n": {"type": "date", "format": "strict_date_time"}}}
    until("it is refused", lambda: bool(reindex(mappings=mappings)[1]))
    until("it is copied again", lambda: bool((broken := reindex(mappings=mappings)[1]) and broken[0].failures))
    assert sorted(client.request("GET", f"/{name}*")) == [name, f"{name}-000001"]
    put(client, name, "more", 1)


def test_a_copy_that_differs_takes_nothing_s_place(client: Client, name: str, reindex: Reindex) -> None:
    reindex()
    until("the first pass has ended", lambda: is_copied(client, name))
    client.request("DELETE", f"/{name}/_doc/3")
    with pytest.raises(PipelineError, match=r"has 10 documents, and .* 9 for it: they differ in documents"):
        reindex()
    put(client, name, "more", 1)
    until("it is as asked", lambda: reindex()[0]["done"])
    assert count(client, name) == DOCUMENTS


def test_one_that_ended_right_before_the_switch_is_gone_on_with(
    client: Client, name: str, reindex: Reindex, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise PassingError("no")

    reindex()
    until("the first pass has ended", lambda: is_copied(client, name))
    with monkeypatch.context() as patched:
        patched.setattr(_reindexing, "change_aliases", fail)
        with pytest.raises(PassingError):
            reindex()
    put(client, name, "more", 1)  # which what was kept lacks
    until("it is as asked", lambda: reindex()[0]["done"])
    assert count(client, name) == count(client, f"{name}-000000") == DOCUMENTS + 1


def test_of_two_runs_the_earlier_gives_way(
    client: Client, name: str, reindex: Reindex, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Cluster._finish

    def late(cluster: Cluster, family: object, target: object, asked: object) -> object:
        finished = finish(cluster, family, target, asked)
        cluster._mark(finished, settler="another")
        return finished

    reindex()
    until("the first pass has ended", lambda: is_copied(client, name))
    with monkeypatch.context() as patched:
        patched.setattr(Cluster, "_finish", late)
        with pytest.raises(PassingError, match="Another run takes"):
            reindex()
    (living,) = client.request("GET", f"/{name}").values()
    assert living["settings"]["index"]["blocks"]["write"] == "true"  # the other's, for whom writes wait
    until("it is as asked", lambda: reindex()[0]["done"])


def test_a_pass_that_runs_takes_another_rate(client: Client, name: str, reindex: Reindex) -> None:
    reindex(rate=0.01)
    assert reindex(rate=0.01)[0]["indices"][name]["state"] == "copying"
    assert not is_copied(client, name)
    until("it is as asked", lambda: reindex(rate=-1)[0]["done"])
