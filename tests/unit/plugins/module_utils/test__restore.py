# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import Index
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._restore import (
    BEGIN,
    FOLLOW,
    NOTHING,
    Shard,
    Snapshot,
    beside,
    choose,
    in_place,
    switch,
    wanted,
)

DAY = "day-2026.11.20"


def snapshot(name: str = "one", state: str = "SUCCESS", hour: int = 1, *indices: str) -> Snapshot:
    return Snapshot(name, f"uuid of {name}", state, datetime(2026, 11, 27, hour, tzinfo=UTC), dict.fromkeys(indices, 7))


def index(uuid: str = "", done: bool = True, aliases: tuple[str, ...] = ("days",)) -> dict[str, t.Any]:
    meta = {"_meta": {"restore": {"snapshot": uuid[8:], "uuid": uuid, "done": done}}} if uuid else {}
    settings = {"index": {"uuid": "x"}}
    return {"aliases": {alias: {} for alias in aliases}, "mappings": meta, "settings": settings}


def test_it_reads_what_the_repository_says() -> None:
    answer = {
        "snapshot": "one",
        "uuid": "u",
        "state": "SUCCESS",
        "start_time_in_millis": 1795743000999,
        "indices": ["a", "b"],
        "index_details": {"a": {"shard_count": 1, "size_in_bytes": 9}},
    }
    assert Snapshot.of(answer) == Snapshot(
        "one", "u", "SUCCESS", datetime(2026, 11, 27, 1, 30, tzinfo=UTC), {"a": 9, "b": 0}
    )


def test_the_latest_whole_one_is_taken() -> None:
    several = [snapshot("three", "PARTIAL", 3), snapshot("two", hour=2), snapshot("one", hour=1)]
    assert choose(several, None, "store").name == "two"
    assert choose(several, "one", "store").name == "one"


@pytest.mark.parametrize(
    ("name", "snapshots", "complaint"),
    [
        (None, [snapshot("three", "PARTIAL")], "repository: 'store' has no snapshot that is whole"),
        (
            "four",
            [snapshot("two", hour=2), snapshot("one")],
            "'four' is not in the repository 'store'. It has one, two",
        ),
        ("four", [], "It has none"),
        ("three", [snapshot("three", "PARTIAL")], "'three' is PARTIAL"),
    ],
)
def test_it_says_why_there_is_nothing_to_take(name: str | None, snapshots: list[Snapshot], complaint: str) -> None:
    with pytest.raises(PipelineError, match=complaint.replace(".", r"\.")):
        choose(snapshots, name, "store")


def test_only_indices_between_the_names_are_wanted() -> None:
    whole = snapshot("one", "SUCCESS", 1, "day-1", "day-2-000001", "day-3", "day-4")
    assert wanted(whole, "day-2", "day-3") == ["day-2-000001", "day-3"]
    assert wanted(whole, None, None) == ["day-1", "day-2-000001", "day-3", "day-4"]


@pytest.mark.parametrize(
    ("indices", "first", "complaint"),
    [
        (["day-1"], "day-2", "'one' has no index from day-2 to day-2"),
        ([], None, "'one' has no index$|'one' has no index."),
        (["day-2-000001", "day-2-000002"], "day-2", "day-2-000001 and day-2-000002: which of them was day-2"),
    ],
)
def test_an_index_that_is_not_there_is_no_success(indices: list[str], first: str | None, complaint: str) -> None:
    with pytest.raises(PipelineError, match=complaint):
        wanted(snapshot("one", "SUCCESS", 1, *indices), first, first)


@pytest.mark.parametrize(
    ("group", "target", "replaced", "step"),
    [
        pytest.param({}, DAY, None, BEGIN, id="nothing is there"),
        pytest.param({DAY: index()}, f"{DAY}-000001", DAY, BEGIN, id="the living one is written on"),
        pytest.param(
            {f"{DAY}-000000": index(aliases=()), f"{DAY}-000001": index(aliases=(DAY, "days"))},
            f"{DAY}-000002",
            f"{DAY}-000001",
            BEGIN,
            id="it was reindexed",
        ),
        pytest.param(
            {DAY: index(), f"{DAY}-000001": index("uuid of one", done=False, aliases=())},
            f"{DAY}-000001",
            DAY,
            FOLLOW,
            id="it was begun",
        ),
        pytest.param({DAY: index("uuid of one", done=False)}, DAY, None, FOLLOW, id="it was begun under its own name"),
        pytest.param(
            {f"{DAY}-000001": index("uuid of one", aliases=(DAY, "days"))},
            f"{DAY}-000001",
            None,
            NOTHING,
            id="it is restored",
        ),
        pytest.param({DAY: index("uuid of two")}, f"{DAY}-000001", DAY, BEGIN, id="it is that of another snapshot"),
        pytest.param(
            {DAY: index("uuid of two", done=False)}, f"{DAY}-000001", DAY, BEGIN, id="another snapshot was begun"
        ),
    ],
)
def test_where_an_index_goes(group: dict[str, t.Any], target: str, replaced: str | None, step: str) -> None:
    place = in_place(snapshot("one", "SUCCESS", 1, DAY), DAY, group)
    assert (place.target, place.replaced and place.replaced.index, place.step) == (target, replaced, step)


def test_what_a_restore_from_another_snapshot_left_goes_with_the_living_one() -> None:
    there = {DAY: index(), f"{DAY}-000001": index("uuid of two", done=False, aliases=())}
    place = in_place(snapshot("one", "SUCCESS", 1, DAY), DAY, there)
    assert (place.target, place.left) == (f"{DAY}-000002", (f"{DAY}-000001",))
    removed = [action["remove_index"]["index"] for action in switch(place, {"days": {}}) if "remove_index" in action]
    assert removed == [DAY, f"{DAY}-000001"]


def test_a_day_that_is_being_reindexed_is_not_taken_from_under_it() -> None:
    reindexed = index(aliases=())
    reindexed["mappings"] = {"_meta": {"reindex": {"uuid": "x", "done": False}}}
    with pytest.raises(PipelineError, match=f"{DAY}-000001 is being filled by a reindex of {DAY}"):
        in_place(snapshot("one", "SUCCESS", 1, DAY), DAY, {DAY: index(), f"{DAY}-000001": reindexed})


def test_one_that_was_reindexed_keeps_its_number_where_nothing_is_left() -> None:
    whole = snapshot("one", "SUCCESS", 1, f"{DAY}-000001")
    assert in_place(whole, f"{DAY}-000001", {}).target == f"{DAY}-000001"
    assert in_place(whole, f"{DAY}-000001", {f"{DAY}-000001": index(aliases=())}).target == f"{DAY}-000002"


@pytest.mark.parametrize(
    ("there", "step"), [(None, BEGIN), (index("uuid of one", done=False), FOLLOW), (index("uuid of one"), NOTHING)]
)
def test_where_an_index_goes_that_nobody_searches(there: dict[str, t.Any] | None, step: str) -> None:
    place = beside(snapshot(), DAY, there and Index.of(f"restored-{DAY}", there))
    assert (place.target, place.step, place.replaced) == (f"restored-{DAY}", step, None)


def test_what_another_snapshot_left_there_stays() -> None:
    with pytest.raises(PipelineError, match=f"restored-{DAY} is there, from two"):
        beside(snapshot(), DAY, Index.of(f"restored-{DAY}", index("uuid of two")))


def test_the_names_change_hands_in_one_call() -> None:
    place = in_place(snapshot("one", "SUCCESS", 1, DAY), DAY, {DAY: index()})
    assert switch(place, {"days": {}}) == [
        {"remove_index": {"index": DAY}},
        {"add": {"index": f"{DAY}-000001", "alias": DAY, "is_write_index": True}},
        {"add": {"index": f"{DAY}-000001", "alias": "days"}},
    ]


def test_one_under_its_own_name_needs_no_alias_of_it() -> None:
    place = in_place(snapshot("one", "SUCCESS", 1, DAY), DAY, {})
    assert switch(place, {"days": {}}) == [{"add": {"index": DAY, "alias": "days"}}]


def refused(decider: str, explanation: str) -> dict[str, str]:
    return {"decider": decider, "decision": "NO", "explanation": explanation}


def test_it_says_why_a_shard_is_not_there() -> None:
    explained = {
        "shard": 2,
        "unassigned_info": {"details": "failed: corrupt"},
        "node_allocation_decisions": [
            {"deciders": [refused("restore_in_progress", "failed to be restored"), {"decision": "YES"}]},
            {"deciders": [refused("restore_in_progress", "failed to be restored")]},
        ],
    }
    assert Shard.of(explained) == Shard(2, True, "failed: corrupt; failed to be restored")
    assert Shard.of({"shard": 0}) == Shard(0, False, "")


def test_of_what_java_says_of_it_the_first_and_the_last_cause_are_told() -> None:
    details = "failed shard\n\tat org.elasticsearch.A\nCaused by: B\n\tat B\nCaused by: checksum failed\n\tat C"
    found = Shard.of({"shard": 0, "unassigned_info": {"details": details}})
    assert found.reason == "failed shard; Caused by: checksum failed"


def test_one_for_which_there_is_no_room_at_this_moment_is_not_given_up() -> None:
    decisions = [{"deciders": [refused("disk_threshold", "above the low watermark")]}]
    explained = {"shard": 0, "can_allocate": "no", "node_allocation_decisions": decisions}
    assert Shard.of(explained) == Shard(0, False, "above the low watermark")
