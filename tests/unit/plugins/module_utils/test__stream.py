# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import boto3
import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _stream
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard, Stream
from botocore.stub import Stubber

SHARD = "shardId-000000000000"
MOMENT = datetime(2026, 11, 25, 14, 0, 0, 500000, tzinfo=UTC)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Mock:
    sleep = Mock()
    monkeypatch.setattr(_stream, "time", Mock(spec_set=["sleep"], sleep=sleep))
    return sleep


@pytest.fixture
def kinesis(pauses: Mock) -> Iterator[Stubber]:
    """What Kinesis is asked, in order, and what it answers."""
    client = boto3.client("kinesis", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def stream(kinesis: Stubber) -> Stream:
    return Stream(kinesis.client, "events")


def expect_iterator(kinesis: Stubber, **start: object) -> None:
    kinesis.add_response(
        "get_shard_iterator", {"ShardIterator": "page 1"}, {"StreamName": "events", "ShardId": SHARD, **start}
    )


def expect_page(
    kinesis: Stubber, page: int, *records: tuple[str, datetime], limit: int, behind: int = 0, last: bool = False
) -> None:
    answer: dict[str, t.Any] = {
        "MillisBehindLatest": behind,
        "Records": [
            {"SequenceNumber": number, "ApproximateArrivalTimestamp": arrival, "Data": b"{}", "PartitionKey": "x"}
            for number, arrival in records
        ],
    }
    if not last:
        answer["NextShardIterator"] = f"page {page + 1}"
    kinesis.add_response("get_records", answer, {"ShardIterator": f"page {page}", "Limit": limit})


AT_MOMENT = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime(2026, 11, 25, 14, tzinfo=UTC)}


class TestFirstSince:
    def test_the_first_record_is_one_read_away(self, kinesis: Stubber, stream: Stream, pauses: Mock) -> None:
        expect_iterator(kinesis, **AT_MOMENT)
        expect_page(kinesis, 1, ("300", MOMENT), limit=1, behind=7000)
        assert stream.first_since(SHARD, MOMENT) == Record("300", MOMENT)
        pauses.assert_not_called()

    def test_records_of_the_same_second_before_it_are_passed_over(self, kinesis: Stubber, stream: Stream) -> None:
        before = MOMENT - timedelta(milliseconds=1)
        expect_iterator(kinesis, **AT_MOMENT)
        expect_page(kinesis, 1, ("298", before), limit=1, behind=7000)
        expect_page(kinesis, 2, ("299", before), ("300", MOMENT), ("301", MOMENT), limit=1000)
        assert stream.first_since(SHARD, MOMENT) == Record("300", MOMENT)

    def test_empty_pages_end_nothing(self, kinesis: Stubber, stream: Stream, pauses: Mock) -> None:
        expect_iterator(kinesis, **AT_MOMENT)
        expect_page(kinesis, 1, limit=1, behind=9000)
        expect_page(kinesis, 2, limit=1000, behind=4000)
        expect_page(kinesis, 3, ("300", MOMENT), limit=1000)
        assert stream.first_since(SHARD, MOMENT) == Record("300", MOMENT)
        assert pauses.call_count == 2

    def test_there_is_none_at_the_tip(self, kinesis: Stubber, stream: Stream) -> None:
        expect_iterator(kinesis, **AT_MOMENT)
        expect_page(kinesis, 1, limit=1, behind=9000)
        expect_page(kinesis, 2, limit=1000)
        assert stream.first_since(SHARD, MOMENT) is None

    def test_there_is_none_at_the_end_of_a_closed_shard(self, kinesis: Stubber, stream: Stream) -> None:
        expect_iterator(kinesis, **AT_MOMENT)
        expect_page(kinesis, 1, limit=1, behind=9000, last=True)
        assert stream.first_since(SHARD, MOMENT) is None


def test_the_oldest_record(kinesis: Stubber, stream: Stream) -> None:
    expect_iterator(kinesis, ShardIteratorType="TRIM_HORIZON")
    expect_page(kinesis, 1, ("100", MOMENT), limit=1, behind=9000)
    assert stream.oldest(SHARD) == Record("100", MOMENT)


@pytest.mark.parametrize("found, expected", [("300", Record("300", MOMENT)), ("301", None)])
def test_a_record_by_its_number(found: str, expected: Record | None, kinesis: Stubber, stream: Stream) -> None:
    expect_iterator(kinesis, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="300")
    expect_page(kinesis, 1, (found, MOMENT), limit=1)
    assert stream.numbered(SHARD, "300") == expected


def test_shards_of_several_pages(kinesis: Stubber, stream: Stream) -> None:
    whole = {"StartingHashKey": "0", "EndingHashKey": "9"}
    parent: dict[str, t.Any] = {
        "ShardId": "a",
        "HashKeyRange": whole,
        "SequenceNumberRange": {"StartingSequenceNumber": "100", "EndingSequenceNumber": "199"},
    }
    child: dict[str, t.Any] = {
        "ShardId": "c",
        "ParentShardId": "a",
        "AdjacentParentShardId": "b",
        "HashKeyRange": whole,
        "SequenceNumberRange": {"StartingSequenceNumber": "200"},
    }
    asked = {"StreamName": "events", "ShardFilter": {"Type": "FROM_TRIM_HORIZON"}}
    kinesis.add_response("list_shards", {"Shards": [parent], "NextToken": "more"}, asked)
    kinesis.add_response("list_shards", {"Shards": [child]}, {"NextToken": "more"})
    assert stream.shards() == {
        "a": Shard("a", (), ("0", "9"), "100", "199"),
        "c": Shard("c", ("a", "b"), ("0", "9"), "200", None),
    }


@pytest.mark.parametrize(
    "number, last, held",
    [
        ("100", None, True),
        ("99", None, False),
        ("5000", None, True),
        ("199", "199", True),
        ("200", "199", False),
        ("5000", "50", True),
    ],
)
def test_a_number_lies_in_its_shard(number: str, last: str | None, held: bool) -> None:
    assert Shard("a", (), ("0", "9"), "100", last).may_hold(number) is held


@pytest.mark.parametrize(
    "code, told",
    [
        (
            "ResourceNotFoundException",
            "Failed to describe stream 'events': there is no stream 'events' in",
        ),
        ("AccessDeniedException", "these credentials may not call DescribeStreamSummary"),
        ("InternalFailure", "Failed to describe stream 'events': .*InternalFailure"),
    ],
)
def test_a_refusal_is_explained(code: str, told: str, kinesis: Stubber, stream: Stream) -> None:
    kinesis.add_client_error("describe_stream_summary", code)
    with pytest.raises(PipelineError, match=told):
        stream.retention()


@pytest.mark.parametrize(
    "code, taken", [(None, True), ("InvalidArgumentException", False), ("ResourceNotFoundException", False)]
)
def test_kinesis_knows_its_own_numbers(code: str | None, taken: bool, kinesis: Stubber, stream: Stream) -> None:
    start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"}
    if code:
        kinesis.add_client_error("get_shard_iterator", code)
    else:
        asked = {"StreamName": "events", "ShardId": "a", **start}
        kinesis.add_response("get_shard_iterator", {"ShardIterator": "i"}, asked)
    assert stream.takes("a", start) is taken


def test_what_kinesis_refuses_for_another_reason_is_explained(kinesis: Stubber, stream: Stream) -> None:
    kinesis.add_client_error("get_shard_iterator", "AccessDeniedException")
    with pytest.raises(PipelineError, match="read shard a of stream 'events': these credentials may not call"):
        stream.takes("a", {"ShardIteratorType": "TRIM_HORIZON"})
