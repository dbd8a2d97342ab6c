# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.modules.elasticsearch_health import run

WELL = {
    "status": "green", "number_of_nodes": 3, "unassigned_shards": 0, "initializing_shards": 0, "relocating_shards": 0,
}  # fmt: skip


def ask(*answers: object, **params: object) -> dict[str, t.Any]:
    client = Mock(spec=Client, request=Mock(side_effect=answers))
    result: dict[str, t.Any] = run({"nodes": 3, "status": "green", **params}, client)
    return result


@pytest.mark.parametrize(
    "answer, params, done, summary",
    [
        ({}, {}, True, "green, 3 of 3 nodes"),
        ({"relocating_shards": 1}, {}, True, "green, 3 of 3 nodes, 1 on their way"),
        ({"number_of_nodes": 2}, {}, False, "green, 2 of 3 nodes"),
        (
            {"status": "yellow", "unassigned_shards": 4, "initializing_shards": 2},
            {},
            False,
            "yellow, 3 of 3 nodes, 4 shards to be allocated, 2 on their way",
        ),
        ({"status": "yellow"}, {"status": "yellow"}, True, "yellow, 3 of 3 nodes"),
        ({"status": "red"}, {"status": "yellow"}, False, "red, 3 of 3 nodes"),
        ({"status": "red"}, {"status": "red"}, True, "red, 3 of 3 nodes"),
    ],
)
def test_it_is_well_enough(answer: dict[str, t.Any], params: dict[str, t.Any], done: bool, summary: str) -> None:
    found = {**WELL, **answer}
    nodes = found["number_of_nodes"]
    assert ask(found, [], **params) == {"done": done, "summary": summary, "nodes": nodes, "refused": False}


@pytest.mark.parametrize("status, refused", [(None, False), (503, False), (401, True)])
def test_no_answer_is_an_answer(status: int | None, refused: bool) -> None:
    error = ElasticsearchError("GET", "/_cluster/health", "not yet", status)
    assert ask(error) == {"done": False, "summary": str(error), "nodes": 0, "refused": refused}


def explained(*deciders: str) -> dict[str, t.Any]:
    """A replica, and for each node what keeps it away from there."""
    nodes = [{"deciders": [{"decider": decider, "decision": "NO"}] if decider else []} for decider in deciders]
    return {"node_allocation_decisions": nodes}


@pytest.mark.parametrize(
    ("deciders", "done"),
    [
        (("same_shard", "node_version", "node_version"), True),
        (("same_shard", "node_version", "disk_threshold"), False),
        (("same_shard", "", "node_version"), False),
        (("same_shard", "disk_threshold", "disk_threshold"), False),
    ],
    ids=["all others are older", "one is full", "one takes it in a moment", "none is older"],
)
def test_what_only_an_upgrade_ends_is_well(deciders: tuple[str, ...], done: bool) -> None:
    shards = [
        {"index": "day", "shard": "0", "prirep": "p", "state": "STARTED"},
        {"index": "day", "shard": "0", "prirep": "r", "state": "UNASSIGNED"},
    ]
    found = ask({**WELL, "status": "yellow", "unassigned_shards": 1}, shards, explained(*deciders))
    assert found["done"] is done
    assert found["summary"].endswith("which older nodes do not take") is done
