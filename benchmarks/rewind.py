# SPDX-License-Identifier: GPL-3.0-or-later
"""A rewind of many shards against a loop that makes the least calls one after another.

    python3 -m benchmarks.rewind

Both work on the same AWS in memory, whose every call takes LATENCY seconds.
"""

from __future__ import annotations

import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Stream
from ansible_collections.simple_analytics.pipeline.plugins.modules import kinesis_consumer_rewind

LATENCY = 0.01  # of a call from within the region
SHARDS = 1000
NOW = datetime.now(UTC)
Json = dict[str, Any]


class FakeAws:
    """Kinesis and DynamoDB of one stream and its one consumer, in memory: as much of both as a rewind asks for."""

    def __init__(self, shards: int) -> None:
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._shards = [f"shardId-{number:012}" for number in range(shards)]
        self.rows = {shard: self._row(shard) for shard in self._shards}

    @staticmethod
    def _row(shard: str) -> Json:
        texts = {"leaseKey": shard, "checkpoint": "900", "leaseOwner": "worker"}
        numbers = {"checkpointSubSequenceNumber": "0", "leaseCounter": "7", "ownerSwitchesSinceCheckpoint": "0"}
        return {name: {"S": text} for name, text in texts.items()} | {name: {"N": n} for name, n in numbers.items()}

    def _call(self, operation: str) -> None:
        with self._lock:
            self.calls[operation] += 1
        time.sleep(LATENCY)

    def describe_stream_summary(self, **_: object) -> Json:
        self._call("DescribeStreamSummary")
        return {"StreamDescriptionSummary": {"RetentionPeriodHours": 24}}

    def list_shards(self, **_: object) -> Json:
        self._call("ListShards")
        ranges = {
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
            "SequenceNumberRange": {"StartingSequenceNumber": "100"},
        }
        return {"Shards": [{"ShardId": shard, **ranges} for shard in self._shards]}

    def get_shard_iterator(self, **_: object) -> Json:
        self._call("GetShardIterator")
        return {"ShardIterator": "iterator"}

    def get_records(self, **_: object) -> Json:
        self._call("GetRecords")
        return {
            "Records": [{"SequenceNumber": "500", "ApproximateArrivalTimestamp": NOW - timedelta(minutes=50)}],
            "MillisBehindLatest": 1,
            "NextShardIterator": "iterator",
        }

    def get_paginator(self, _: str) -> Any:  # noqa: ANN401 - as boto3
        return SimpleNamespace(paginate=self._scan)

    def _scan(self, **_: object) -> Iterator[Json]:
        rows = list(self.rows.values())
        for start in range(0, len(rows), 1000):
            self._call("Scan")
            yield {"Items": rows[start : start + 1000]}

    def update_item(self, *, Key: Json, ExpressionAttributeValues: Json, **_: object) -> None:  # noqa: N803 - boto3's
        self._call("UpdateItem")
        names = {":checkpoint": "checkpoint", ":rewind": "rewindId", ":next": "leaseCounter"}
        row = self.rows[Key["leaseKey"]["S"]]
        row.update({name: ExpressionAttributeValues[key] for key, name in names.items()})


def loop(aws: FakeAws) -> None:
    """What an administrator's script would do."""
    aws.list_shards()
    for page in aws.get_paginator("scan").paginate():
        for row in page["Items"]:
            aws.get_shard_iterator()
            number = aws.get_records()["Records"][0]["SequenceNumber"]
            counter = str(int(row["leaseCounter"]["N"]) + 1)
            values = {":checkpoint": {"S": number}, ":rewind": {"S": "loop"}, ":next": {"N": counter}}
            aws.update_item(Key={"leaseKey": row["leaseKey"]}, ExpressionAttributeValues=values)


def rewind(aws: FakeAws) -> None:
    """The module's work, without its wait for the consumer."""
    with tempfile.TemporaryDirectory() as folder:
        options = dict.fromkeys(("sequence_numbers", "shards", "resume", "restore"))
        switches = dict.fromkeys(("clamp", "allow_skip"), False)
        params = {"position": "at_timestamp", "timestamp": "1h", "manifest": f"{folder}/manifest"}
        module = SimpleNamespace(check_mode=False, params={**options, **switches, **params})
        kinesis_consumer_rewind.run(module, LeaseTable(aws, "consumer"), Stream(aws, "events"), NOW)


def seconds(work: Any, aws: FakeAws) -> float:  # noqa: ANN401 - either of the two
    start = time.perf_counter()
    work(aws)
    return time.perf_counter() - start


def peak(shards: int) -> int:
    """Bytes that a rewind holds at most."""
    aws = FakeAws(shards)
    tracemalloc.start()
    rewind(aws)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held


def main() -> None:
    ours, theirs = FakeAws(SHARDS), FakeAws(SHARDS)
    taken, looped = seconds(rewind, ours), seconds(loop, theirs)
    placed = {row["checkpoint"]["S"] for row in ours.rows.values()}
    if placed != {"500"}:
        raise SystemExit(f"Not every shard was placed: {placed}")
    few, many = peak(SHARDS // 10), peak(SHARDS)
    print(f"{SHARDS} shards, {LATENCY * 1000:.0f} ms a call")
    print(f"rewind {taken:.1f} s, loop {looped:.1f} s: {looped / taken:.1f} times as fast")
    print(f"calls per shard: {ours.calls.total() / SHARDS:.2f} ({theirs.calls.total() / SHARDS:.2f} in the loop)")
    print(f"{dict(sorted(ours.calls.items()))}")
    tenth = few / (SHARDS // 10) / 1024
    print(f"memory: {many / SHARDS / 1024:.1f} KiB a shard ({tenth:.1f} KiB with a tenth of the shards)")


if __name__ == "__main__":
    main()
