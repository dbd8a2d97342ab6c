# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""The DynamoDB table of a consumer application, changed under the feet of its workers."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from contextlib import suppress

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import calling, side_by_side
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    Lease,
    NoConsumerError,
    Position,
    Row,
    read_leases,
    strangers,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Shard, Stream

with suppress(ImportError):  # AnsibleAWSModule says what is missing
    from botocore.exceptions import ClientError

# Workers write a row every few seconds, so that a second attempt nearly always wins.
ATTEMPTS = 20
# Each write of a worker depends on counter and owner. With both changed it finds that it has lost the lease: what it
# has under way comes to nothing, and the shard is taken anew, at the position in the row.
EVICTION = (
    "SET checkpoint = :checkpoint, checkpointSubSequenceNumber = :subsequence, rewindId = :rewind,"
    " leaseCounter = :next, ownerSwitchesSinceCheckpoint = :zero"
    " REMOVE leaseOwner, checkpointOwner, pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState"
)


class OvertakenError(PipelineError):  # type: ignore[misc] # mypy finds no collections
    """Something else came to a lease, and is the last word."""


class LeaseTable:
    """Every write names the rewind that it belongs to, so that an interrupted one knows how far it came."""

    def __init__(self, dynamodb: t.Any, name: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        self._dynamodb, self.name = dynamodb, name
        self._missing = (
            f"there is no table {name!r} in this account and region. A consumer makes the one named as its application"
            " when it first runs: is this the name of one that has?"
        )

    def read(self) -> dict[str, Lease]:
        """All leases, by shard."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        with calling(f"read the leases of {self.name!r}", self._missing):
            rows: list[Row] = [row for page in pages for row in page["Items"]]
        leases: dict[str, Lease] = read_leases(self.name, rows)
        return leases

    def place(self, shard: Shard, lease: Lease | None, position: Position, rewind: str) -> None:
        """Set a shard's position, from whoever holds its lease. A missing row is made."""
        former = lease and lease.rewind
        for _attempt in range(ATTEMPTS):
            if self._set(lease, position, rewind) if lease else self._make(shard, position, rewind):
                return
            lease = self._get(shard.id)
            if lease and lease.rewind == rewind:
                return
            if lease and lease.rewind != former:
                raise self._overtaken("place", lease)
        raise PipelineError(
            f"Failed to place the lease of {shard.id} in {self.name!r}: it changed {ATTEMPTS} times meanwhile."
        )

    def remove(self, lease: Lease) -> None:
        """Take a row away, from whoever holds it."""
        found: Lease | None = lease
        for _attempt in range(ATTEMPTS):
            if found is None or self._delete(found):
                return
            found = self._get(lease.shard)
            if found and found.rewind != lease.rewind:
                raise self._overtaken("remove", found)
        raise PipelineError(
            f"Failed to remove the lease of {lease.shard} in {self.name!r}: it changed {ATTEMPTS} times meanwhile."
        )

    def _overtaken(self, verb: str, lease: Lease) -> OvertakenError:
        return OvertakenError(
            f"Failed to {verb} the lease of {lease.shard} in {self.name!r}: the rewind {lease.rewind!r} has placed"
            " it meanwhile. See where that one went, then begin a new one."
        )

    def _get(self, shard: str) -> Lease | None:
        with calling(f"read the lease of {shard} in {self.name!r}", self._missing):
            found = self._dynamodb.get_item(TableName=self.name, Key={"leaseKey": {"S": shard}}, ConsistentRead=True)
        return read_leases(self.name, [found["Item"]]).get(shard) if "Item" in found else None

    def _set(self, lease: Lease, position: Position, rewind: str) -> bool:
        return self._applies(
            f"place the lease of {lease.shard}",
            self._dynamodb.update_item,
            Key={"leaseKey": {"S": lease.shard}},
            UpdateExpression=EVICTION,
            ConditionExpression="leaseCounter = :counter",
            ExpressionAttributeValues={
                ":checkpoint": {"S": position.checkpoint},
                ":subsequence": {"N": str(position.subsequence)},
                ":rewind": {"S": rewind},
                ":counter": {"N": str(lease.counter)},
                ":next": {"N": str(lease.counter + 1)},
                ":zero": {"N": "0"},
            },
        )

    def _make(self, shard: Shard, position: Position, rewind: str) -> bool:
        row: Row = {
            "leaseKey": {"S": shard.id},
            "checkpoint": {"S": position.checkpoint},
            "checkpointSubSequenceNumber": {"N": str(position.subsequence)},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
            "startingHashKey": {"S": shard.hash_range[0]},
            "endingHashKey": {"S": shard.hash_range[1]},
            "rewindId": {"S": rewind},
        }
        if shard.parents:
            row["parentShardId"] = {"SS": list(shard.parents)}
        return self._applies(
            f"make the lease of {shard.id}",
            self._dynamodb.put_item,
            Item=row,
            ConditionExpression="attribute_not_exists(leaseKey)",
        )

    def _delete(self, lease: Lease) -> bool:
        return self._applies(
            f"remove the lease of {lease.shard}",
            self._dynamodb.delete_item,
            Key={"leaseKey": {"S": lease.shard}},
            ConditionExpression="leaseCounter = :counter",
            ExpressionAttributeValues={":counter": {"N": str(lease.counter)}},
        )

    def _applies(self, verb_phrase: str, call: t.Callable[..., t.Any], **arguments: object) -> bool:
        with calling(f"{verb_phrase} in {self.name!r}", self._missing):
            try:
                call(TableName=self.name, **arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def tables_of(dynamodb: t.Any, stream: Stream, shards: Mapping[str, Shard]) -> list[LeaseTable]:  # noqa: ANN401 - as above
    """The tables of this account and region that hold leases of these shards of the stream."""
    with calling("list the tables"):
        pages = dynamodb.get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"]]

    def is_one(name: str) -> bool:
        with calling(f"describe table {name!r}"):
            keys = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
        if [key["AttributeName"] for key in keys] != ["leaseKey"]:
            return False
        try:
            leases = LeaseTable(dynamodb, name).read()
        except NoConsumerError:
            return False
        return bool(leases) and not strangers(stream, shards, leases)

    return [LeaseTable(dynamodb, name) for name, reads in side_by_side(is_one, names).items() if reads]
