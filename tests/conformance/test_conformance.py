# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewinds of real consumers. Each case ends with what was delivered, compared with what had to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _lease_table, _leases, _stream
from ansible_collections.simple_analytics.pipeline.plugins.modules import kinesis_consumer_rewind

from tests.conformance import records
from tests.conformance.matrix import Case
from tests.conformance.services import Aws, Consumer
from tests.unit.templates.cloudformation.conftest import allowed

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"
NAMES = (f"case{number}-{int(time.time())}" for number in count())
PATIENCE = 60


def eventually(what: str, holds: Callable[[], bool], consumer: Consumer) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, (
            f"{what}: not within {PATIENCE} s\n{consumer.lines()[-40:]}\n{consumer.log()}"
        )
        time.sleep(0.1)


class World:
    """A stream with its history, and the one consumer that has read all of it."""

    def __init__(self, case: Case, aws: Aws, folder: Path) -> None:
        name = next(NAMES)
        self.called: set[str] = set()
        self.stream = records.Stream(aws.client("kinesis"), name, case.records == "aggregated")
        self.dynamodb = aws.client("dynamodb")
        self.table = _lease_table.LeaseTable(self.operators(aws, "dynamodb"), name)
        self.reader = _stream.Stream(self.operators(aws, "kinesis"), name)
        self.consumer = Consumer(case.library, aws, name, name, folder)
        self.manifest = str(folder / "manifest")
        self.seed()

    def operators(self, aws: Aws, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        """The client of whoever rewinds. The actions that it asks for are remembered."""
        client = aws.client(service)
        client.meta.events.register("before-call", lambda model, **_: self.called.add(f"{service}:{model.name}"))
        return client

    def seed(self) -> None:
        """Make the table, since a library waits half a minute at an empty one."""
        self.dynamodb.create_table(
            TableName=self.table.name,
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for shard in self.reader.shards().values():
            self.table.place(shard, None, _leases.Position(_leases.TRIM_HORIZON), "seed")

    def live_through(self, lineage: str) -> None:
        """The stream's history, with the consumer behind it."""
        self.stream.put(4)
        if lineage == "merge":
            self.stream.merge(FIRST, SECOND)
        elif lineage != "unchanged":
            self.stream.split(FIRST)
        self.stream.put()
        if lineage in ("two-generations", "parents-cleaned"):
            self.stream.merge("shardId-000000000003", SECOND)
            self.stream.put()
        self.consumer.start()
        everything = sum(len(self.stream.events(shard)) for shard in self.stream.records)
        eventually("read the history", lambda: len(self.delivered()) == everything, self.consumer)
        if lineage == "parents-cleaned":
            self.clean_parents()

    def clean_parents(self) -> None:
        """What the library itself does some time after a shard's end."""
        closed = {shard.id for shard in self.reader.shards().values() if shard.last_number}
        ended = _leases.Position(_leases.SHARD_END).checkpoint
        eventually(
            "read the parents to their end",
            lambda: (
                {shard for shard, lease in self.table.read().items() if lease.position.checkpoint == ended} == closed
            ),
            self.consumer,
        )
        for shard in closed:
            self.table.remove(self.table.read()[shard])

    def end_worker(self, how: str) -> None:
        if how == "stopped":
            self.consumer.stop()
            return
        self.consumer.kill()
        # A leader of KCL 3 that was killed is believed in for two minutes; nobody is given a lease until then.
        self.dynamodb.delete_item(TableName=self.table.name, Key={"leaseKey": {"S": "Leader"}})

    def delivered(self, start: int = 0) -> list[tuple[str, str]]:
        return [line for line in self.consumer.lines()[start:] if line[1] != "taken"]

    def rewind(self, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - options of all types
        module = SimpleNamespace(
            check_mode=False,
            params={
                **dict.fromkeys(("timestamp", "sequence_numbers", "shards", "resume", "restore")),
                **{"clamp": False, "allow_skip": False, "wait": False, "wait_timeout": 0, "wait_sleep": 1},
                "manifest": self.manifest,
                **params,
            },
        )
        result: dict[str, Any] = kinesis_consumer_rewind.run(module, self.table, self.reader, datetime.now(UTC))
        return result


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
    assert second.arrival
    return {"position": case.position, "timestamp": second.arrival.isoformat()}, {
        shard: next(
            (index for index, record in enumerate(found) if record.arrival and record.arrival >= second.arrival), 0
        )
        for shard, found in stream.records.items()
    }


def test_every_record_comes_again_from_the_position_on(case: Case, aws: Aws, tmp_path: Path) -> None:
    world = World(case, aws, tmp_path)
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
