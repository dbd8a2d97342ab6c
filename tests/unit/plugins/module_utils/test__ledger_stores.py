# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import json
import re
import typing as t
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from unittest.mock import Mock, call

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _ledger_stores
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger import Hours, Ledger
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger_stores import (
    Bucket,
    read_delivered,
    read_ids,
    read_index,
    read_malformed,
)
from botocore.exceptions import ClientError, EndpointConnectionError

from .conftest import Clock

FIELDS = "#Fields: date time cs-method cs-uri-stem cs-uri-query x-edge-request-id"
PIXEL = re.compile(r"^/pixel\.gif$")
HOUR = "2026-11-24T22"
DAY = Hours("2026-11-24T00", "2026-11-25T00")


class FakeS3:
    """The two calls that a bucket makes, over a dict; a page holds two keys."""

    def __init__(self, objects: Mapping[str, bytes | Exception]) -> None:
        self.objects = objects
        self.prefixes: list[str] = []

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> t.Iterator[dict[str, t.Any]]:  # noqa: N803
        self.prefixes.append(Prefix)
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        if not keys:
            yield {"KeyCount": 0}
        for start in range(0, len(keys), 2):
            modified = datetime(2026, 11, 25, 1, tzinfo=UTC)
            found = keys[start : start + 2]
            yield {"Contents": [{"Key": key, "LastModified": modified, "Size": 100} for key in found]}

    def download_fileobj(self, bucket: str, key: str, file: t.IO[bytes], Config: object) -> None:  # noqa: N803
        content = self.objects.get(key, client_error(404))
        if isinstance(content, Exception):
            raise content
        file.write(content)


def client_error(status: int) -> ClientError:
    answer = {"Error": {"Code": str(status), "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(t.cast("t.Any", answer), "HeadObject")


def log(*ids: str, time: str = "22:00:00") -> bytes:
    lines = [f"2026-11-24\t{time}\tGET\t/pixel.gif\te=e30\t{event_id}" for event_id in ids]
    return gzip.compress("\n".join([FIELDS, *lines, ""]).encode())


def records(*items: dict[str, t.Any]) -> bytes:
    return gzip.compress("".join(json.dumps(item) + "\n" for item in items).encode())


def event(event_id: str) -> dict[str, t.Any]:
    return {"event": {"id": event_id, "dataset": "simple_analytics.hit"}}


def delivered(
    objects: Mapping[str, bytes | Exception], hours: Hours = DAY
) -> tuple[dict[str, dict[str, int]], int, set[str]]:
    bucket = Bucket(FakeS3(objects), "logs")
    with closing(Ledger(":memory:")) as ledger:
        waiting = read_delivered(ledger, bucket, "cloudfront/", PIXEL, hours)
        return ledger.hours(), waiting, bucket.unreadable


@pytest.fixture
def ledger() -> t.Iterator[Ledger]:
    with closing(Ledger(":memory:")) as ledger:
        yield ledger


class TestReadDelivered:
    def test_waiting_and_processed_objects_are_read(self) -> None:
        objects = {f"cloudfront/{n}": log(f"a{n}") for n in range(3)} | {"Processed/cloudfront/9": log("b", "c")}
        hours, waiting, _ = delivered(objects)
        assert hours[HOUR]["delivered"] == 5
        assert waiting == 3

    def test_an_object_that_is_being_moved_counts_once(self) -> None:
        hours, _, _ = delivered({"cloudfront/1": log("a"), "Processed/cloudfront/1": log("a")})
        assert hours[HOUR]["delivered"] == 1

    def test_an_object_that_was_moved_since_it_was_listed_is_read_where_it_lies_now(self, ledger: Ledger) -> None:
        s3 = FakeS3({"cloudfront/1": client_error(404), "Processed/cloudfront/1": log("a")})
        read_delivered(ledger, Bucket(s3, "logs"), "cloudfront/", PIXEL, DAY)
        assert ledger.hours()[HOUR]["delivered"] == 1

    def test_an_object_that_is_gone_is_named(self, ledger: Ledger) -> None:
        bucket = Bucket(FakeS3({"cloudfront/1": client_error(404)}), "logs")
        read_delivered(ledger, bucket, "cloudfront/", PIXEL, DAY)
        assert bucket.unreadable == {"logs/cloudfront/1"}

    def test_what_a_replay_put_back_is_no_delivery(self) -> None:
        hours, waiting, _ = delivered(
            {"Replay/m1/cloudfront/1": log("a"), "Processed/Replay/m1/cloudfront/1": log("a")}
        )
        assert (hours, waiting) == ({}, 0)

    def test_only_lines_of_the_hours_asked_for_count(self) -> None:
        hours, _, _ = delivered({"cloudfront/1": log("a"), "cloudfront/2": log("b", time="21:59:59")}, Hours(HOUR))
        assert {hour: terms["delivered"] for hour, terms in hours.items()} == {HOUR: 1}

    def test_a_line_without_any_time_takes_the_hour_of_delivery(self) -> None:
        hours, _, _ = delivered({"cloudfront/1": b"hello"}, Hours())
        assert hours["2026-11-25T01"]["lost"] == 1

    def test_a_broken_object_is_named_and_read_as_far_as_it_goes(self) -> None:
        whole = log(*(f"{n**9 % 1000003:x}" for n in range(9000)))
        hours, _, unreadable = delivered({"cloudfront/1": whole[: len(whole) // 2], "cloudfront/2": log("a")})
        assert 1 < hours[HOUR]["delivered"] < 9000
        assert unreadable == {"logs/cloudfront/1"}

    @pytest.mark.parametrize("error", [client_error(403), EndpointConnectionError(endpoint_url="http://gone")])
    def test_an_object_that_s3_does_not_give_is_an_error_that_names_it(self, error: Exception) -> None:
        with pytest.raises(PipelineError, match=r"Failed to read s3://logs/cloudfront/1: "):
            delivered({"cloudfront/1": error})

    def test_chunks_hold_every_line_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_ledger_stores, "CHUNK", 3)
        hours, _, _ = delivered({"cloudfront/1": log(*map(str, range(10)))})
        assert hours[HOUR]["delivered"] == hours[HOUR]["lost"] == 10


class TestReadRecords:
    def test_ids_take_the_hour_that_they_are_filed_under(self, ledger: Ledger) -> None:
        s3 = FakeS3({"events/dt=2026-11-24/hour=22/x.gz": records(event("a"), event("b"))})
        read_ids(ledger.archive, Bucket(s3, "events"), "events/", DAY)
        assert ledger.hours()[HOUR]["archived"] == 2

    def test_days_that_are_not_asked_for_are_not_even_listed(self, ledger: Ledger) -> None:
        s3 = FakeS3({f"events/dt=2026-11-2{day}/hour=22/x.gz": records(event(str(day))) for day in (3, 4, 5)})
        read_ids(ledger.archive, Bucket(s3, "events"), "events/", DAY)
        assert s3.prefixes == ["events/dt=2026-11-24/"]
        assert list(ledger.hours()) == [HOUR]

    def test_hours_that_are_not_asked_for_are_left_out(self, ledger: Ledger) -> None:
        s3 = FakeS3({f"events/dt=2026-11-24/hour={hour}/x.gz": records(event(hour)) for hour in ("21", "22", "23")})
        read_ids(ledger.archive, Bucket(s3, "events"), "events/", Hours(HOUR, "2026-11-24T23"))
        assert list(ledger.hours()) == [HOUR]

    def test_a_record_without_an_id_is_reported_by_its_object(self, ledger: Ledger) -> None:
        key = "events/dt=2026-11-24/hour=22/x.gz"
        bucket = Bucket(FakeS3({key: records(event("a"), {"event": {}}, event("b"))}), "events")
        read_ids(ledger.archive, bucket, "events/", DAY)
        assert ledger.hours()[HOUR]["archived"] == 2
        assert bucket.unreadable == {f"events/{key}"}

    def test_malformed_records_are_found_however_late_they_were_written(self) -> None:
        record = {"event": {"hash": "x"}, "log": {"file": {"path": "cloudfront/1"}}}
        s3 = FakeS3({"malformed/dt=2026-12-01/hour=03/x.gz": records(record)})
        ledger = Mock(spec=Ledger)
        read_malformed(ledger, Bucket(s3, "events"), "malformed/", DAY)
        ledger.misform.assert_called_once_with([("cloudfront/1", "x")])


def page(number: int, *ids: str) -> dict[str, t.Any]:
    hits = [{"_id": event_id, "fields": {"@timestamp": [HOUR]}} for event_id in ids]
    return {"_scroll_id": f"scroll {number}", "hits": {"hits": hits}}


class TestReadIndex:
    @pytest.fixture(autouse=True)
    def time(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
        monkeypatch.setattr(_ledger_stores, "time", clock)
        return clock

    def test_every_page_is_read_and_the_scroll_closed(self, ledger: Ledger) -> None:
        client = Mock(spec=Client)
        client.request.side_effect = [page(1, "a", "b"), page(2, "c"), page(3), {"succeeded": True}]
        read_index(ledger, client, "simple-analytics-events", DAY)
        first, second, third, last = client.request.call_args_list
        assert ledger.hours()[HOUR]["indexed"] == 3
        assert first.args[1].startswith("/simple-analytics-events/_search?scroll=")
        assert first.args[2]["query"]["range"]["@timestamp"]["lt"] == "2026-11-25T00"
        assert [again.args[2]["scroll_id"] for again in (second, third)] == ["scroll 1", "scroll 2"]
        assert last == call("DELETE", "/_search/scroll", {"scroll_id": "scroll 3"})

    def test_an_index_that_does_not_exist_holds_nothing(self, ledger: Ledger) -> None:
        client = Mock(spec=Client)
        client.request.side_effect = ElasticsearchError("POST", "/events/_search", "index_not_found_exception", 404)
        read_index(ledger, client, "events", DAY)
        assert ledger.hours() == {}

    def test_any_other_refusal_is_an_error(self, ledger: Ledger) -> None:
        client = Mock(spec=Client)
        client.request.side_effect = ElasticsearchError("POST", "/events/_search", "security_exception", 403)
        with pytest.raises(ElasticsearchError, match="403"):
            read_index(ledger, client, "events", DAY)

    def test_shards_that_come_up_are_waited_for(self, ledger: Ledger) -> None:
        client = Mock(spec=Client)
        missing = ElasticsearchError("POST", "/events/_search", "search_phase_execution_exception", 503)
        client.request.side_effect = [missing, missing, page(1, "a"), page(2), {"succeeded": True}]
        read_index(ledger, client, "events", DAY)
        assert ledger.hours()[HOUR]["indexed"] == 1

    def test_shards_that_stay_away_are_an_error(self, ledger: Ledger, time: Clock) -> None:
        client = Mock(spec=Client)
        client.request.side_effect = ElasticsearchError("POST", "/events/_search", "missing shards", 503)
        begun = time.now
        with pytest.raises(ElasticsearchError, match="503 missing shards"):
            read_index(ledger, client, "events", DAY)
        assert 60 < time.now - begun < 90
