# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.filter.landscape_status import landscape_status

NOW = "2026-11-28T12:00:00+00:00"
LIMITS = {"waiting": 1000, "lag": 60, "last_event": 1440, "snapshot": 2880}
Json = dict[str, Any]


def pipeline(out: int, **dead_letters: int) -> Json:
    return {"events": {"out": out}, "queue": {"events_count": 3}, "dead_letter_queue": dead_letters}


def stats(written: int) -> Json:
    return {"indexing": {"index_total": written}, "docs": {"count": 1721}}


def snapshot(state: str, hours: int) -> Json:
    start = datetime.fromisoformat(NOW) - timedelta(hours=hours)
    return {"snapshot": "a", "state": state, "start_time_in_millis": int(start.timestamp() * 1000)}


WELL: Json = {
    "stacks": {"a-event-processor": "UPDATE_COMPLETE"},
    "waiting": 2,
    "hosts": {
        "consumer-1": {
            "before": {"indexer": pipeline(100)},
            "after": {"indexer": pipeline(150, queue_size_in_bytes=1, dropped_events=0)},
            "seconds": 5,
        }
    },
    "jobs": {"capture-1": {}, "node-1": {"a-snapshot.timer": "active", "a-retention.timer": "active"}},
    "consumers": [
        {
            "application": "a-indexer",
            "summary": "2 shards read by w, 1 s behind",
            "lag": 850,
            "quiet": False,
            "totals": {"silent": 0},
        }
    ],
    "cluster": {
        node: {
            "health": {"done": True, "summary": "green, 3 of 3 nodes", "nodes": 3},
            "indicators": {"disk": {"status": "green"}, "shards_availability": {"status": "yellow"}},
            "snapshots": [snapshot("SUCCESS", hours=11), snapshot("PARTIAL", hours=1)],
            "made": {"events-2": {"mappings": {"_meta": {"reindex": {"done": True}}}}},
            "blocked": {},
        }
        for node in ("node-1", "node-2", "node-3")
    },
    "index": {
        "archived": True,
        "nodes": {
            "node-1": {"before": {}, "after": {}, "seconds": 5, "last_event": None},
            "node-2": {
                "before": stats(1000),
                "after": stats(1050),
                "seconds": 5,
                "last_event": "2026-11-28T11:59:00.000Z",
            },
        },
    },
    "kibana": {"kibana-1": {"status": {"overall": {"level": "available", "summary": "All is well"}}}},
}


def test_a_landscape_that_is_well_is_one_screen() -> None:
    status = landscape_status(WELL, NOW, LIMITS)
    assert status["healthy"]
    assert status["lines"] == [
        "ok  stack a-event-processor  UPDATE_COMPLETE",
        "ok  log objects              2 to be processed",
        "ok  indexer on consumer-1    10 events a second, 3 queued",
        "ok  jobs on node-1           2 timers wait",
        "ok  consumer a-indexer       2 shards read by w, 1 s behind",
        "ok  cluster                  green, 3 of 3 nodes",
        "ok  snapshot                 the last 11 h ago",
        "ok  index                    1721 documents, 10 more a second, the last event 1 min ago",
        "ok  Kibana on kibana-1       available",
    ]
    assert {check["do"] for check in status["checks"]} == {""}


# As Elasticsearch says it.
FULL: Json = {
    "status": "red",
    "symptom": "1 index is not allowed to be updated.",
    "diagnosis": [
        {
            "cause": "1 index is blocked.",
            "action": "Enable autoscaling or add disk capacity.",
            "affected_resources": {"nodes": [{"node_id": "x", "name": "node-3"}], "indices": ["events-1"]},
        }
    ],
}


def best(found: Json) -> Json:
    """The node whose word counts."""
    node: Json = found["cluster"]["node-1"]
    return node


def ill(change: Callable[[Json], object]) -> tuple[bool, list[Json]]:
    found = copy.deepcopy(WELL)
    change(found)
    status = landscape_status(found, NOW, LIMITS)
    return status["healthy"], [check for check in status["checks"] if not check["ok"]]


@pytest.mark.parametrize(
    "change, subject, says, do",
    [
        (
            lambda found: found["stacks"].update({"a-event-processor": "UPDATE_ROLLBACK_FAILED"}),
            "stack a-event-processor",
            "UPDATE_ROLLBACK_FAILED",
            "playbooks/stacks.yml",
        ),
        (lambda found: found.update(waiting=1001), "log objects", "1001 or more", "does capture run?"),
        (
            lambda found: found["hosts"]["consumer-1"].update(after={}),
            "Logstash on consumer-1",
            "does not answer",
            "playbooks/processors.yml",
        ),
        (
            lambda found: found["hosts"]["consumer-1"]["after"].update(
                indexer=pipeline(150, queue_size_in_bytes=77, dropped_events=4)
            ),
            "indexer on consumer-1",
            "77 bytes of dead letters",
            "4 dead letters found no room",
        ),
        (lambda found: found["consumers"][0].update(lag=3_600_001), "consumer a-indexer", "1 s behind", "its worker"),
        (
            lambda found: found["consumers"][0].update(totals={"silent": 1}),
            "consumer a-indexer",
            "2 shards",
            "restart_processors.yml",
        ),
        (
            lambda found: [
                node.update(health={"done": False, "summary": "yellow, 3 of 3 nodes", "nodes": 3})
                for node in found["cluster"].values()
            ],
            "cluster",
            "yellow, 3 of 3",
            "_cluster/allocation/explain",
        ),
        (
            lambda found: found["cluster"]["node-2"].update(
                health={"done": False, "summary": "timed out", "nodes": 0}, indicators={}
            ),
            "node node-2",
            "timed out",
            "playbooks/search.yml brings it back",
        ),
        (
            lambda found: found["cluster"]["node-1"]["indicators"].update(disk=FULL),
            "cluster's disk",
            "1 index is not allowed to be updated: node-3, events-1",
            "Enable autoscaling or add disk capacity.",
        ),
        (
            lambda found: found["cluster"]["node-1"]["indicators"].update(
                repository_integrity={"status": "yellow", "symptom": "Nobody knows."}
            ),
            "cluster's repository integrity",
            "Nobody knows",
            "_health_report",
        ),
        (
            lambda found: best(found).update(snapshots=[snapshot("SUCCESS", hours=49), snapshot("FAILED", hours=1)]),
            "snapshot",
            "the last 2 d 1 h ago",
            "playbooks/snapshot.yml",
        ),
        (
            lambda found: best(found).update(snapshots=[snapshot("PARTIAL", hours=1)]),
            "snapshot",
            "none is whole",
            "journalctl",
        ),
        (
            lambda found: best(found).update(blocked={"events-1": {}}),
            "writes to events-1",
            "are kept back",
            "give its command again",
        ),
        (
            lambda found: found["jobs"]["node-1"].update({"a-snapshot.service": "failed"}),
            "a-snapshot.service on node-1",
            "failed",
            "journalctl -u a-snapshot.service",
        ),
        (
            lambda found: found["jobs"]["node-1"].update({"a-snapshot.timer": "inactive"}),
            "a-snapshot.timer on node-1",
            "inactive",
            "starts it again",
        ),
        (lambda found: found["kibana"].update({"kibana-1": {}}), "Kibana on kibana-1", "does not answer", "dashboards"),
        (
            lambda found: found["kibana"]["kibana-1"]["status"].update(
                overall={"level": "unavailable", "summary": "Unauthorized"}
            ),
            "Kibana on kibana-1",
            "unavailable: Unauthorized",
            "its token included",
        ),
        (
            lambda found: found["index"]["nodes"]["node-2"].update(last_event="2026-11-27T11:59:00.000Z"),
            "index",
            "the last event 1 d 1 min ago",
            "docs/runbook.md",
        ),
        (
            lambda found: found["index"]["nodes"]["node-2"].update(last_event=None),
            "index",
            "has no event",
            "the archive has events",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_well_says_what_to_do(change: Callable[[Json], object], subject: str, says: str, do: str) -> None:
    healthy, [check] = ill(change)
    assert not healthy
    assert check["subject"] == subject
    assert says in check["says"]
    assert do in check["do"]


@pytest.mark.parametrize(("part", "subject"), [("hosts", "Logstash"), ("cluster", "cluster"), ("kibana", "Kibana")])
def test_hosts_that_the_inventory_has_lost_are_missed_unless_nobody_asked(part: str, subject: str) -> None:
    healthy, [check] = ill(lambda found: found.update({part: {}}))
    assert (healthy, check["subject"], check["says"]) == (False, subject, "is on no host of the inventory")
    assert landscape_status({key: value for key, value in WELL.items() if key != part}, NOW, LIMITS)["healthy"]


def test_what_is_under_way_is_named_and_well() -> None:
    found = copy.deepcopy(WELL)
    best(found)["made"] = {"events-2": {"mappings": {"_meta": {"restore": {"done": False}}}}}
    status = landscape_status(found, NOW, LIMITS)
    assert status["healthy"]
    assert any("restore of events-2" in line and "is not done" in line for line in status["lines"])


def test_a_consumer_of_a_stream_that_is_quiet_is_well() -> None:
    found = copy.deepcopy(WELL)
    found["consumers"][0].update(lag=36_000_000, quiet=True)
    assert landscape_status(found, NOW, LIMITS)["healthy"]


def test_an_index_without_an_event_is_new() -> None:
    nodes = {"node-1": {**WELL["index"]["nodes"]["node-2"], "last_event": None}}
    found = {**WELL, "index": {"nodes": nodes, "archived": False}}
    assert "ok  index                    has no event yet" in landscape_status(found, NOW, LIMITS)["lines"]


def test_a_pipeline_that_has_just_begun_has_no_rate() -> None:
    host = {**WELL["hosts"]["consumer-1"], "before": {}}
    lines = landscape_status({**WELL, "hosts": {"consumer-1": host}}, NOW, LIMITS)["lines"]
    assert "ok  indexer on consumer-1    0 events a second, 3 queued" in lines
