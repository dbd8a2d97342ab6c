# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _replay_targets
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Event
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay_targets import (
    IndexTarget,
    Sent,
    StreamTarget,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._waiting import ATTEMPTS


@pytest.fixture(autouse=True)
def sleep(monkeypatch: pytest.MonkeyPatch) -> Mock:
    sleep = Mock()
    monkeypatch.setattr(_replay_targets, "time", Mock(spec_set=["sleep"], sleep=sleep))
    return sleep


def events(*names: str) -> list[Event]:
    moment = datetime(2026, 11, 24, 23, 59, tzinfo=UTC)
    bodies: list[dict[str, Any]] = [{"event": {"id": name}} for name in names]
    return [Event(body["event"]["id"], moment, 17, json.dumps(body).encode()) for body in bodies]


class FakeKinesis:
    """Refuses the records of a call that a list of ids names, one list a call."""

    def __init__(self, *refusals: list[str]) -> None:
        self._refusals = list(refusals)
        self.calls: list[list[str]] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's
        assert StreamName == "events"
        names = [record["PartitionKey"] for record in Records]
        assert [json.loads(record["Data"])["event"]["id"] for record in Records] == names
        self.calls.append(names)
        refused = self._refusals.pop(0) if self._refusals else []
        return {"Records": [{"ErrorCode": "Throttled"} if name in refused else {"ShardId": "a"} for name in names]}


class TestStreamTarget:
    def test_only_what_was_refused_is_sent_again(self, sleep: Mock) -> None:
        kinesis = FakeKinesis(["b", "c"], ["c"])
        assert StreamTarget(kinesis, "events").send(events("a", "b", "c")) == Sent()
        assert kinesis.calls == [["a", "b", "c"], ["b", "c"], ["c"]]
        assert sleep.call_count == 2

    def test_what_kinesis_would_refuse_the_whole_call_for_is_named(self) -> None:
        kinesis, long = FakeKinesis(), "x" * 257
        (large,) = (event._replace(text=b" " * 1024 * 1024) for event in events("large"))
        sent = StreamTarget(kinesis, "events").send([*events("a", long), large])
        assert sent.refused == (
            (long, "its id has more than 256 letters"),
            ("large", "it has more than 1048576 bytes"),
        )
        assert StreamTarget(kinesis, "events").send([large]).refused == sent.refused[1:]
        assert kinesis.calls == [["a"]]

    def test_a_stream_that_takes_nothing_is_named(self) -> None:
        kinesis = FakeKinesis(*[["a"]] * ATTEMPTS)
        with pytest.raises(PipelineError, match=f"'events': 1 records were refused {ATTEMPTS} times .Throttled."):
            StreamTarget(kinesis, "events").send(events("a"))


def answer(kind: str = "of_a_kind", /, **statuses: int) -> dict[str, Any]:
    return {
        "items": [
            {"index": {"_id": name, "status": status, "error": {"type": kind, "reason": "because"}}}
            for name, status in statuses.items()
        ]
    }


class TestIndexTarget:
    def test_an_event_goes_to_its_day_under_its_id_and_version(self) -> None:
        client = Mock(spec=Client, bulk=Mock(return_value=answer(a=201)))
        assert IndexTarget(client, "simple-analytics-events").send(events("a")) == Sent()
        place = {"_index": "simple-analytics-events-2026.11.24", "_id": "a"}
        client.bulk.assert_called_once_with(
            [{"index": {**place, "version": 17, "version_type": "external_gte"}}, events("a")[0].text]
        )

    def test_an_id_that_the_cluster_would_refuse_the_whole_call_for_is_named(self) -> None:
        client = Mock(spec=Client, bulk=Mock(return_value=answer(a=201)))
        long = "x" * 513
        sent = IndexTarget(client, "events").send(events("a", long))
        assert sent.refused == ((long, "its id has more than 512 bytes"),)
        assert [line["index"]["_id"] for line in client.bulk.call_args.args[0][::2]] == ["a"]
        assert IndexTarget(client, "events").send(events(long)).refused == sent.refused
        assert client.bulk.call_count == 1

    def test_what_is_newer_there_is_counted_and_what_is_refused_named(self) -> None:
        client = Mock(spec=Client, bulk=Mock(return_value=answer(a=201, b=409, c=400)))
        sent = IndexTarget(client, "events").send(events("a", "b", "c"))
        assert sent == Sent(older=1, refused=(("c", "of_a_kind: because"),))

    def test_what_a_full_queue_turned_away_is_sent_again(self) -> None:
        client = Mock(spec=Client, bulk=Mock(side_effect=[answer(a=201, b=429), answer(b=409)]))
        assert IndexTarget(client, "events").send(events("a", "b")) == Sent(older=1)
        assert [line["index"]["_id"] for line in client.bulk.call_args.args[0][::2]] == ["b"]

    def test_what_a_block_turned_away_is_sent_again(self) -> None:
        blocked, forbidden = answer("cluster_block_exception", a=403), answer("security_exception", a=403)
        client = Mock(spec=Client, bulk=Mock(side_effect=[blocked, forbidden]))
        assert IndexTarget(client, "events").send(events("a")).refused == (("a", "security_exception: because"),)

    def test_of_two_versions_in_a_batch_the_newer_is_sent(self) -> None:
        (event,) = events("a")
        older = Event(event.id, event.moment, event.version - 1, b"{}")
        client = Mock(spec=Client, bulk=Mock(return_value=answer(a=201)))
        IndexTarget(client, "events").send([event, older])
        assert client.bulk.call_args.args[0][1:] == [event.text]

    @pytest.mark.parametrize("status", [429, 503, 401, None])
    def test_a_call_that_is_turned_away_whole_or_not_answered_is_made_again(
        self, sleep: Mock, status: int | None
    ) -> None:
        busy, wrong = (ElasticsearchError("POST", "/_bulk", "no", each) for each in (status, 400))
        client = Mock(spec=Client, bulk=Mock(side_effect=[busy, answer(a=201), wrong]))
        target = IndexTarget(client, "events")
        assert target.send(events("a")) == Sent()
        assert sleep.call_count == 1
        with pytest.raises(ElasticsearchError, match="400"):
            target.send(events("a"))

    def test_a_queue_that_stays_full_ends_it(self) -> None:
        client = Mock(spec=Client, bulk=Mock(return_value=answer(a=429)))
        with pytest.raises(PipelineError, match=f"events-.*1 events were turned away {ATTEMPTS} times .of_a_kind"):
            IndexTarget(client, "events").send(events("a"))
