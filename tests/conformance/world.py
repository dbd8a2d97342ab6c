# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream, and the consumer application that reads it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _lease_table, _leases, _stream
from ansible_collections.simple_analytics.pipeline.plugins.modules import (
    kinesis_consumer_info,
    kinesis_consumer_rewind,
)

from tests.conformance import records
from tests.conformance.services import Aws, Consumer

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"
RESHARDED = "shardId-000000000002"  # the first that a split or merge makes
NAMES = (f"case{number}-{int(time.time())}" for number in count())
PATIENCE = 60
# What happens to the stream, one after the other; of two, aggregated records see them in reverse.
RESHARDS = {
    "unchanged": [],
    "split": ["split"],
    "merge": ["merge"],
    "two-generations": ["split", "merge"],
    "parents-cleaned": ["split", "merge"],
}


def eventually(what: str, holds: Callable[[], bool], consumer: Consumer, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, (
            f"{what}: not within {patience} s\n{consumer.lines()[-40:]}\n{consumer.log()}"
        )
        time.sleep(0.1)


class World:
    """A stream with its history, and a consumer with one worker that has read all of it. Another one can join it."""

    def __init__(self, library: str, aggregated: bool, aws: Aws, folder: Path, pause: int = 0) -> None:
        name = next(NAMES)
        self.called: set[str] = set()
        self.aggregated = aggregated
        self.stream = records.Stream(aws.client("kinesis"), name, aggregated)
        self.dynamodb = aws.client("dynamodb")
        self.table = _lease_table.LeaseTable(self.operators(aws, "dynamodb"), name)
        self.reader = _stream.Stream(self.operators(aws, "kinesis"), name)
        self.consumer, self.other = (
            Consumer(library, aws, name, name, worker, folder, pause) for worker in ("worker", "other")
        )
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

    def write_history(self, lineage: str) -> None:
        """The stream's, which nobody has read yet."""
        self.stream.put(4)
        for reshard in RESHARDS[lineage][:: -1 if self.aggregated else 1]:
            self.stream.begin(reshard)
            self.stream.settle()
            self.stream.put()

    def live_through(self, lineage: str) -> None:
        """The stream's history, with the consumer behind it."""
        self.write_history(lineage)
        self.consumer.start()
        everything = sum(len(self.stream.events(shard)) for shard in self.stream.records)
        eventually("read the history", lambda: len(self.delivered()) == everything, self.consumer)
        # A worker that ended between a delivery and its checkpoint would not be where a case expects it.
        eventually("say so", self.is_at_rest, self.consumer)
        if lineage == "parents-cleaned":
            self.clean_parents()

    def clean_parents(self) -> None:
        """What the library itself does some time after a shard's end."""
        closed = {shard.id for shard in self.reader.shards().values() if shard.last_number}
        for shard in closed:
            self.table.remove(self.table.read()[shard])

    def end_worker(self, how: str) -> None:
        if how == "stopped":
            self.consumer.stop()
            return
        self.consumer.kill()
        self.forget_leader()

    def forget_leader(self) -> None:
        """A leader of KCL 3 that is gone is believed in for two minutes; nobody is given a lease until then."""
        self.dynamodb.delete_item(TableName=self.table.name, Key={"leaseKey": {"S": "Leader"}})

    def delivered(self, start: int = 0) -> list[tuple[str, str]]:
        return [line for line in self.consumer.lines()[start:] if line[1] != "taken"]

    def is_at_rest(self) -> bool:
        """Whether the consumer has said of all records that they are done with."""
        places = {shard: lease.position.checkpoint for shard, lease in self.table.read().items()}
        tips = {shard["ShardId"]: self.stream.records[shard["ShardId"]][-1].number for shard in self.stream.open()}
        ended = [place == _leases.SHARD_END for shard, place in places.items() if shard not in tips]
        return tips.items() <= places.items() and all(ended)

    def rewind(self, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - options of all types
        module = SimpleNamespace(
            check_mode=False,
            params={
                **dict.fromkeys(("position", "timestamp", "sequence_numbers", "shards", "resume", "restore")),
                **{"clamp": False, "allow_skip": False},
                "manifest": self.manifest,
                **params,
            },
        )
        result: dict[str, Any] = kinesis_consumer_rewind.run(module, self.table, self.reader, datetime.now(UTC))
        return result

    def survey(self) -> dict[str, dict[str, Any]]:
        """What there is to say of those that seem to read this stream, among all tables."""
        module = SimpleNamespace(check_mode=False, params={"applications": None, "watch_seconds": 3})
        found = kinesis_consumer_info.run(module, self.dynamodb, self.reader)["applications"]
        return {each["application"]: each for each in found}
