# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    AT_TIMESTAMP,
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    Position,
    Row,
    read_leases,
)


def row(**attributes: dict[str, str]) -> Row:
    return {
        "leaseKey": {"S": "shardId-000000000000"},
        "checkpoint": {"S": "4966"},
        "checkpointSubSequenceNumber": {"N": "3"},
        "leaseCounter": {"N": "17"},
        **attributes,
    }


@pytest.mark.parametrize(
    "earlier, later",
    [
        (Position(TRIM_HORIZON), Position("0", -1)),
        (Position(TRIM_HORIZON), Position(AT_TIMESTAMP)),
        (Position(AT_TIMESTAMP), Position("0", -1)),
        (Position.before("9"), Position("9")),
        (Position("9"), Position("9", 1)),
        (Position("9", 7), Position.before("10")),
        (Position("9" * 56), Position(LATEST)),
        (Position(LATEST), Position(SHARD_END)),
    ],
)
def test_positions_of_a_shard_have_an_order(earlier: Position, later: Position) -> None:
    assert earlier.order < later.order


def test_a_row_is_a_lease() -> None:
    lease = read_leases("indexer", [row(leaseOwner={"S": "worker-1"})])["shardId-000000000000"]
    assert (lease.position, lease.counter, lease.owner, lease.rewind) == (Position("4966", 3), 17, "worker-1", None)


@pytest.mark.parametrize("kind", ["WORKER_METRIC_STATS", "LEADER", "CLIENT_VERSION_MIGRATION"])
def test_rows_of_other_kinds_are_left_out(kind: str) -> None:
    rows: list[Row] = [{"leaseKey": {"S": "Leader"}, "entityType": {"S": kind}}, row(entityType={"S": "LEASE"})]
    assert list(read_leases("indexer", rows)) == ["shardId-000000000000"]


@pytest.mark.parametrize(
    "broken",
    [
        row(checkpoint={"S": "AFTER_LUNCH"}),
        row(leaseCounter={"S": "17"}),
        row(checkpointSubSequenceNumber={"N": "first"}),
    ],
)
def test_a_row_that_is_none_is_named(broken: Row) -> None:
    with pytest.raises(PipelineError, match=f"'indexer' holds a row that is no lease.*{broken['leaseKey']['S']}"):
        read_leases("indexer", [broken])


def test_rows_without_a_checkpoint_are_left_out() -> None:
    assert list(read_leases("indexer", [{"leaseKey": {"S": "a note"}}, row()])) == ["shardId-000000000000"]


def test_consumers_of_several_streams_are_refused() -> None:
    with pytest.raises(PipelineError, match="several streams"):
        read_leases("indexer", [row(leaseKey={"S": "123456789012:events:1700000000:shardId-000000000000"})])
