# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewinds of real consumers. Each case ends with what was delivered, compared with what had to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conformance.matrix import Case
from tests.conformance.services import Aws, Consumer
from tests.conformance.world import FIRST, RESHARDED, World, eventually
from tests.unit.templates.cloudformation.conftest import allowed


def begin_again(world: World, case: Case) -> tuple[dict[str, Any], dict[str, int]]:
    """How the rewind is called, and for each shard that moves the first record that must come again."""
    stream = world.stream
    stream.date()
    if case.position == "trim_horizon":
        return {"position": case.position}, dict.fromkeys(stream.records, 0)
    if case.position == "latest":
        held = {
            shard: len(found)
            for shard, found in stream.records.items()
            if shard in {each["ShardId"] for each in stream.open()}
        }
        return {"position": case.position, "allow_skip": True}, held
    second = stream.records[FIRST][1]
    if case.position == "sequence_numbers":
        return {"position": case.position, "sequence_numbers": {FIRST: second.number}}, {FIRST: 1}
    if case.records == "aggregated":  # the time of a generation between the first and the last
        second = stream.records.get(RESHARDED, stream.records[FIRST])[1]
    starts: dict[str, int] = {}
    for shard in sorted(stream.shards(), key=lambda shard: str(shard["ShardId"])):
        later = [i for i, record in enumerate(stream.records[shard["ShardId"]]) if record.arrival >= second.arrival]
        if {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & starts.keys():
            starts[shard["ShardId"]] = 0
        elif later:
            starts[shard["ShardId"]] = later[0]
    return {"position": case.position, "timestamp": second.arrival.isoformat()}, starts


def test_every_record_comes_again_from_the_position_on(case: Case, aws: Aws, tmp_path: Path) -> None:
    world = World(case.library, case.records == "aggregated", aws, tmp_path)
    stream, consumer = world.stream, world.consumer
    try:
        world.live_through(case.lineage)
        if case.worker != "running":
            world.end_worker(case.worker)
            stream.put()
        options, starts = begin_again(world, case)
        before = len(consumer.lines())

        result = world.rewind(**options)

        assert {move["shard"] for move in result["moves"]} == set(starts)
        if case.worker != "running":
            consumer.start()
        eventually("take the shards again", lambda: taken(consumer, before) >= set(starts), consumer)
        stream.put()
        expected = {shard: stream.events(shard, start) for shard, start in starts.items()}
        eventually("read on", lambda: holds(replayed(consumer, before, starts), expected), consumer)
        again = replayed(consumer, before, starts)
        assert again == expected
        assert_in_order(world, before, starts)
        eventually("say that it is done", lambda: world.rewind(resume=world.manifest)["done"], consumer)
        # Shards that were not moved go on where they were. A kill may have come before a batch's checkpoint.
        others = {(shard, event) for shard in stream.records if shard not in starts for event in stream.events(shard)}
        eventually("go on with the others", lambda: others <= set(world.delivered()), consumer)
        if case.worker != "killed":
            assert sorted(others) == sorted(line for line in world.delivered() if line[0] not in starts)
        assert world.called <= allowed("OperatorPolicy")
    finally:
        consumer.kill()


def taken(consumer: Consumer, start: int) -> set[str]:
    return {shard for shard, text in consumer.lines()[start:] if text == "taken"}


def replayed(consumer: Consumer, start: int, shards: dict[str, int]) -> dict[str, list[str]]:
    """What each shard delivered since it was taken again. What was under way before counts as before."""
    found: dict[str, list[str]] = {}
    for shard, text in consumer.lines()[start:]:
        if text == "taken":
            found.setdefault(shard, [])
        elif shard in found:
            found[shard].append(text)
    return {shard: found.get(shard, []) for shard in shards}


def holds(found: dict[str, list[str]], expected: dict[str, list[str]]) -> bool:
    return all(len(found[shard]) >= len(events) for shard, events in expected.items())


def assert_in_order(world: World, start: int, starts: dict[str, int]) -> None:
    """Parents come again before their children."""
    lines = world.consumer.lines()[start:]
    shards = world.reader.shards()
    for shard in starts:
        for parent in set(shards[shard].parents) & set(starts):
            theirs = [index for index, line in enumerate(lines) if line[0] == parent and line[1] != "taken"]
            ours = [index for index, line in enumerate(lines) if line[0] == shard and line[1] != "taken"]
            assert not theirs or not ours or max(theirs) < min(ours), (parent, shard, lines)
