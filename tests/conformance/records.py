# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of known records, and what is to come of it when reading starts anew somewhere."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

PACKED = 3  # events in an aggregated record
# What the Kinesis Producer Library puts before its protocol buffers message, and the message's digest behind it.
MAGIC = bytes([0xF3, 0x89, 0x9A, 0xC2])


@dataclass
class Record:
    """One record of Kinesis, which may carry several events."""

    number: str
    events: list[str]
    arrival: datetime = datetime.min  # until `date` learns it


def field(tag: int, content: bytes) -> bytes:
    """A length-delimited field of protocol buffers; all of ours are shorter than 128 bytes."""
    return bytes([tag << 3 | 2, len(content)]) + content


def aggregate(key: str, hash_key: str, events: list[str]) -> bytes:
    """The aggregated record format of the Kinesis Producer Library: tables of keys, and records that refer to them.

    Consumers drop an event whose own hash key lies outside of their shard.
    """
    indexes = bytes([1 << 3, 0, 2 << 3, 0])
    keys = field(1, key.encode()) + field(2, hash_key.encode())
    message = keys + b"".join(field(3, indexes + field(3, event.encode())) for event in events)
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


class Stream:
    """Two shards at first. Each batch puts some records into every open one."""

    def __init__(self, kinesis: Any, name: str, aggregated: bool) -> None:  # noqa: ANN401 - boto3's clients have no types
        self.kinesis, self.name, self._aggregated = kinesis, name, aggregated
        self.records: dict[str, list[Record]] = defaultdict(list)
        self._events = (f"event-{number:04d}" for number in count())
        kinesis.create_stream(StreamName=name, ShardCount=2)
        self.settle()

    def settle(self) -> None:
        while self._status() != "ACTIVE":
            time.sleep(0.05)
        for shard in self.shards():
            self.records.setdefault(shard["ShardId"], [])

    def _status(self) -> str:
        summary: dict[str, Any] = self.kinesis.describe_stream_summary(StreamName=self.name)
        status: str = summary["StreamDescriptionSummary"]["StreamStatus"]
        return status

    def shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self.kinesis.list_shards(StreamName=self.name)["Shards"]
        return shards

    def open(self) -> list[dict[str, Any]]:
        return [shard for shard in self.shards() if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def put(self, each: int = 3) -> None:
        """Some records into every open shard, no two of a shard at one millisecond."""
        for shard in self.open() * each:
            events = [next(self._events) for _ in range(PACKED if self._aggregated else 1)]
            hash_key = shard["HashKeyRange"]["StartingHashKey"]
            data = aggregate("key", hash_key, events) if self._aggregated else events[0].encode()
            answer = self.kinesis.put_record(
                StreamName=self.name, Data=data, PartitionKey="key", ExplicitHashKey=hash_key
            )
            self.records[answer["ShardId"]].append(Record(answer["SequenceNumber"], events))

    def begin(self, reshard: str) -> None:
        """Split the first shard of the hash keys, or merge the last two. It is left under way."""
        shards = sorted(self.open(), key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        if reshard == "split":
            first = shards[0]
            middle = sum(int(first["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending")) // 2
            self.kinesis.split_shard(
                StreamName=self.name, ShardToSplit=first["ShardId"], NewStartingHashKey=str(middle)
            )
        else:
            one, other = (shard["ShardId"] for shard in shards[-2:])
            self.kinesis.merge_shards(StreamName=self.name, ShardToMerge=one, AdjacentShardToMerge=other)

    def date(self) -> None:
        """Learn when each record arrived, as Kinesis says."""
        for shard, records in self.records.items():
            arrivals: dict[str, datetime] = {}
            start = {"StreamName": self.name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self.kinesis.get_shard_iterator(**start)["ShardIterator"]
            while iterator and len(arrivals) < len(records):
                page = self.kinesis.get_records(ShardIterator=iterator)
                for found in page["Records"]:
                    arrivals[found["SequenceNumber"]] = found["ApproximateArrivalTimestamp"]
                iterator = page.get("NextShardIterator")
            for record in records:
                record.arrival = arrivals[record.number].astimezone(UTC)

    def events(self, shard: str, start: int = 0) -> list[str]:
        """The events of a shard from one of its records on."""
        return [event for record in self.records[shard][start:] for event in record.events]
