# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""A Kinesis data stream as a reader sees it: its shards, and single records of them."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import calling

with suppress(ImportError):  # AnsibleAWSModule says what is missing
    from botocore.exceptions import ClientError

# Kinesis answers five reads a second and shard, and the shard's consumers need theirs.
PAGE_PAUSE = 0.5
PAGE = 1000
# What Kinesis calls the number of a record that is none of the stream's, and what its emulator does.
UNKNOWN_PLACE = {"InvalidArgumentException", "ResourceNotFoundException"}


class Record(t.NamedTuple):
    """The place of a record, and when Kinesis took it."""

    sequence_number: str
    arrival: datetime


@dataclass(frozen=True)
class Shard:
    """One shard that still holds records, or still takes them. A closed one has a last number."""

    id: str
    parents: tuple[str, ...]
    hash_range: tuple[str, str]
    first_number: str
    last_number: str | None

    @classmethod
    def of(cls, found: dict[str, t.Any]) -> Shard:
        parents = (found.get("ParentShardId"), found.get("AdjacentParentShardId"))
        hashes, numbers = found["HashKeyRange"], found["SequenceNumberRange"]
        return cls(
            found["ShardId"],
            tuple(parent for parent in parents if parent),
            (hashes["StartingHashKey"], hashes["EndingHashKey"]),
            numbers["StartingSequenceNumber"],
            numbers.get("EndingSequenceNumber"),
        )

    def may_hold(self, sequence_number: str) -> bool:
        """Whether a number lies between the first and the last of this shard."""
        first, last, number = int(self.first_number), int(self.last_number or 0), int(sequence_number)
        # An open shard has no last number, and an emulator's closed one may have one before its first.
        return first <= number and (last < first or number <= last)


class Stream:
    """Reads only; each method makes as few calls as Kinesis allows."""

    def __init__(self, kinesis: t.Any, name: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        self._kinesis, self.name = kinesis, name
        self._missing = f"there is no stream {name!r} in this account and region."

    def retention(self) -> timedelta:
        """How long the stream keeps a record."""
        with calling(f"describe stream {self.name!r}", self._missing):
            summary = self._kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        return timedelta(hours=summary["RetentionPeriodHours"])

    def shards(self) -> dict[str, Shard]:
        """The shards of the retention period, open and closed, by id."""
        # By hand, since Kinesis refuses a token beside the stream's name, which botocore's own paginator sends.
        question: dict[str, t.Any] = {"StreamName": self.name, "ShardFilter": {"Type": "FROM_TRIM_HORIZON"}}
        found: list[dict[str, t.Any]] = []
        with calling(f"list the shards of stream {self.name!r}", self._missing):
            while question:
                page = self._kinesis.list_shards(**question)
                found += page["Shards"]
                question = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
        return {shard["ShardId"]: Shard.of(shard) for shard in found}

    def oldest(self, shard: str) -> Record | None:
        """The oldest record that the shard still has."""
        return self._first(shard, {"ShardIteratorType": "TRIM_HORIZON"})

    def first_since(self, shard: str, moment: datetime) -> Record | None:
        """The first record that arrived at this moment or later."""
        # Whole seconds, since releases of botocore differ in what they make of the rest.
        start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment.replace(microsecond=0)}
        return self._first(shard, start, moment)

    def numbered(self, shard: str, sequence_number: str) -> Record | None:
        """The record of this number, if the shard still has it."""
        start = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": sequence_number}
        found = self._first(shard, start)
        return found if found and found.sequence_number == sequence_number else None

    def first(self, shard: str, start: dict[str, t.Any]) -> Record | None:
        """The first record of an iterator."""
        return self._first(shard, start)

    def takes(self, shard: str, start: dict[str, t.Any]) -> bool:
        """Whether Kinesis knows this place. It refuses the number of another stream's record."""
        with calling(f"read shard {shard} of stream {self.name!r}"):
            try:
                self._iterator(shard, start)
            except ClientError as error:
                if error.response["Error"]["Code"] not in UNKNOWN_PLACE:
                    raise
                return False
        return True

    def _iterator(self, shard: str, start: dict[str, t.Any]) -> str:
        iterator: str = self._kinesis.get_shard_iterator(StreamName=self.name, ShardId=shard, **start)["ShardIterator"]
        return iterator

    def _first(self, shard: str, start: dict[str, t.Any], moment: datetime | None = None) -> Record | None:
        limit = 1
        with calling(f"read shard {shard} of stream {self.name!r}"):
            iterator: str | None = self._iterator(shard, start)
            while iterator:
                page = self._kinesis.get_records(ShardIterator=iterator, Limit=limit)
                for found in page["Records"]:
                    record = Record(found["SequenceNumber"], found["ApproximateArrivalTimestamp"].astimezone(UTC))
                    if moment is None or record.arrival >= moment:
                        return record
                # An empty page ends nothing: sparse shards send many of them before the next record.
                if not page["Records"] and page["MillisBehindLatest"] == 0:
                    return None
                iterator, limit = page.get("NextShardIterator"), PAGE
                time.sleep(PAGE_PAUSE)
        return None
