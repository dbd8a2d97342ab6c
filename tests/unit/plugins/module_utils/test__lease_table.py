# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from unittest.mock import ANY, Mock

import boto3
import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _aws
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import (
    ATTEMPTS,
    LeaseTable,
    tables_of,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position, Row
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Shard, Stream
from botocore.stub import Stubber

SHARD = Shard("shardId-000000000002", ("shardId-000000000000",), ("0", "9"), "100", None)
KEY = {"leaseKey": {"S": SHARD.id}}
TARGET = Position.before("300")


def row(counter: int, **attributes: dict[str, str]) -> Row:
    return {
        **KEY,
        "checkpoint": {"S": "900"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "leaseCounter": {"N": str(counter)},
        **attributes,
    }


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def table(dynamodb: Stubber) -> LeaseTable:
    return LeaseTable(dynamodb.client, "indexer")


def expect_update(dynamodb: Stubber, counter: int) -> dict[str, t.Any]:
    return {
        "TableName": "indexer",
        "Key": KEY,
        "UpdateExpression": ANY,
        "ConditionExpression": "leaseCounter = :counter",
        "ExpressionAttributeValues": {
            ":checkpoint": {"S": "300"},
            ":subsequence": {"N": "-1"},
            ":rewind": {"S": "r1"},
            ":counter": {"N": str(counter)},
            ":next": {"N": str(counter + 1)},
            ":zero": {"N": "0"},
        },
    }


def refuse(dynamodb: Stubber, operation: str, counter: int | None = None) -> None:
    """The row is no longer as it was read."""
    asked = expect_update(dynamodb, counter) if counter is not None else None
    dynamodb.add_client_error(operation, "ConditionalCheckFailedException", expected_params=asked)


def expect_get(dynamodb: Stubber, found: Row | None) -> None:
    answer = {"Item": found} if found else {}
    dynamodb.add_response("get_item", answer, {"TableName": "indexer", "Key": KEY, "ConsistentRead": True})


class TestPlace:
    def test_it_depends_on_the_counter_that_was_read(self, dynamodb: Stubber, table: LeaseTable) -> None:
        dynamodb.add_response("update_item", {}, expect_update(dynamodb, 17))
        table.place(SHARD, Lease.of(row(17)), TARGET, "r1")

    def test_a_worker_that_was_quicker_is_met_again(self, dynamodb: Stubber, table: LeaseTable) -> None:
        refuse(dynamodb, "update_item", 17)
        expect_get(dynamodb, row(18))
        dynamodb.add_response("update_item", {}, expect_update(dynamodb, 18))
        table.place(SHARD, Lease.of(row(17)), TARGET, "r1")

    def test_a_row_that_this_rewind_has_placed_already_stays(self, dynamodb: Stubber, table: LeaseTable) -> None:
        refuse(dynamodb, "update_item", 17)
        expect_get(dynamodb, row(19, rewindId={"S": "r1"}))
        table.place(SHARD, Lease.of(row(17)), TARGET, "r1")

    def test_a_row_that_another_rewind_has_placed_meanwhile_stays(self, dynamodb: Stubber, table: LeaseTable) -> None:
        refuse(dynamodb, "update_item", 17)
        expect_get(dynamodb, row(19, rewindId={"S": "r2"}))
        with pytest.raises(PipelineError, match=f"{SHARD.id} in 'indexer': the rewind 'r2' has placed it meanwhile"):
            table.place(SHARD, Lease.of(row(17, rewindId={"S": "r0"})), TARGET, "r1")

    def test_a_missing_row_is_made(self, dynamodb: Stubber, table: LeaseTable) -> None:
        made = {
            **KEY,
            "checkpoint": {"S": "300"},
            "checkpointSubSequenceNumber": {"N": "-1"},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
            "startingHashKey": {"S": "0"},
            "endingHashKey": {"S": "9"},
            "parentShardId": {"SS": ["shardId-000000000000"]},
            "rewindId": {"S": "r1"},
        }
        asked = {"TableName": "indexer", "Item": made, "ConditionExpression": "attribute_not_exists(leaseKey)"}
        dynamodb.add_response("put_item", {}, asked)
        table.place(SHARD, None, TARGET, "r1")

    def test_a_row_that_appeared_meanwhile_is_placed(self, dynamodb: Stubber, table: LeaseTable) -> None:
        refuse(dynamodb, "put_item")
        expect_get(dynamodb, row(1))
        dynamodb.add_response("update_item", {}, expect_update(dynamodb, 1))
        table.place(SHARD, None, TARGET, "r1")

    def test_a_row_that_was_cleaned_away_meanwhile_is_made(self, dynamodb: Stubber, table: LeaseTable) -> None:
        refuse(dynamodb, "update_item", 17)
        expect_get(dynamodb, None)
        dynamodb.add_response("put_item", {})
        table.place(SHARD, Lease.of(row(17)), TARGET, "r1")

    def test_it_gives_up_on_a_row_that_never_stays(self, dynamodb: Stubber, table: LeaseTable) -> None:
        for attempt in range(ATTEMPTS):
            refuse(dynamodb, "update_item", 17 + attempt)
            expect_get(dynamodb, row(18 + attempt))
        with pytest.raises(PipelineError, match=f"lease of {SHARD.id} in 'indexer': it changed {ATTEMPTS} times"):
            table.place(SHARD, Lease.of(row(17)), TARGET, "r1")


class TestRemove:
    def test_a_row_goes_whoever_holds_it(self, dynamodb: Stubber, table: LeaseTable) -> None:
        asked = {"TableName": "indexer", "Key": KEY, "ConditionExpression": "leaseCounter = :counter"}
        refuse(dynamodb, "delete_item")
        expect_get(dynamodb, row(18))
        dynamodb.add_response("delete_item", {}, {**asked, "ExpressionAttributeValues": {":counter": {"N": "18"}}})
        table.remove(Lease.of(row(17)))

    def test_one_that_is_gone_is_gone(self, dynamodb: Stubber, table: LeaseTable) -> None:
        refuse(dynamodb, "delete_item")
        expect_get(dynamodb, None)
        table.remove(Lease.of(row(17)))


def test_all_pages_are_read(dynamodb: Stubber, table: LeaseTable) -> None:
    asked = {"TableName": "indexer", "ConsistentRead": True}
    dynamodb.add_response("scan", {"Items": [row(1)], "LastEvaluatedKey": KEY}, asked)
    other = row(2, leaseKey={"S": "shardId-000000000001"})
    dynamodb.add_response("scan", {"Items": [other]}, {**asked, "ExclusiveStartKey": KEY})
    assert {shard: lease.counter for shard, lease in table.read().items()} == {SHARD.id: 1, "shardId-000000000001": 2}


@pytest.mark.parametrize(
    "code, told",
    [
        ("ResourceNotFoundException", "Failed to read the leases of 'indexer': there is no table 'indexer'"),
        ("AccessDeniedException", "these credentials may not call Scan"),
    ],
)
def test_a_refusal_is_explained(code: str, told: str, dynamodb: Stubber, table: LeaseTable) -> None:
    dynamodb.add_client_error("scan", code)
    with pytest.raises(PipelineError, match=told):
        table.read()


def expect_table(dynamodb: Stubber, name: str, key: str) -> None:
    schema = [{"AttributeName": key, "KeyType": "HASH"}]
    dynamodb.add_response("describe_table", {"Table": {"KeySchema": schema}}, {"TableName": name})


@pytest.fixture
def stream() -> Mock:
    """Knows every number but those from 1000 on, which are another stream's."""
    fake = Mock(spec=Stream)
    fake.takes.side_effect = lambda shard, start: int(start["StartingSequenceNumber"]) < 1000
    return fake


def test_the_readers_of_a_stream_are_found_among_all_tables(
    dynamodb: Stubber, stream: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_aws, "WORKERS", 1)  # calls in order
    dynamodb.add_response("list_tables", {"TableNames": ["bills", "indexer"], "LastEvaluatedTableName": "indexer"})
    dynamodb.add_response("list_tables", {"TableNames": ["other", "newer", "several"]})
    expect_table(dynamodb, "bills", "number")
    expect_table(dynamodb, "indexer", "leaseKey")
    dynamodb.add_response("scan", {"Items": [row(1)]})
    expect_table(dynamodb, "other", "leaseKey")
    dynamodb.add_response("scan", {"Items": [row(1, checkpoint={"S": "7"})]})
    expect_table(dynamodb, "newer", "leaseKey")
    dynamodb.add_response("scan", {"Items": [row(1, checkpoint={"S": "1007"})]})
    expect_table(dynamodb, "several", "leaseKey")
    dynamodb.add_response("scan", {"Items": [row(1, leaseKey={"S": "1:events:2:shardId-000000000000"})]})
    assert [table.name for table in tables_of(dynamodb.client, stream, {SHARD.id: SHARD})] == ["indexer"]


def test_a_table_that_cannot_be_read_is_reported(dynamodb: Stubber, stream: Mock) -> None:
    dynamodb.add_response("list_tables", {"TableNames": ["indexer"]})
    expect_table(dynamodb, "indexer", "leaseKey")
    dynamodb.add_client_error("scan", "AccessDeniedException")
    with pytest.raises(PipelineError, match="these credentials may not call Scan"):
        tables_of(dynamodb.client, stream, {SHARD.id: SHARD})
