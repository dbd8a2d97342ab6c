# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import json
import re
from base64 import urlsafe_b64decode
from collections import Counter
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import parse_qsl, unquote

import pytest

from sandbox import traffic
from sandbox.traffic import LogBucket, Request, object_name, requests


def by_kind(kind: str) -> list[Request]:
    return [request for request in requests(500, 1) if request.kind == kind]


class TestRequests:
    def test_a_seed_is_a_sequence(self) -> None:
        assert list(requests(100, 7)) == list(requests(100, 7))
        assert list(requests(100, 7)) != list(requests(100, 8))

    def test_there_are_some_of_every_kind_and_outcome(self) -> None:
        kinds = Counter(request.kind for request in requests(1000, 1))
        assert kinds.keys() == {*traffic.EVENTS, *traffic.MALFORMED, *traffic.FILTERED}
        outcomes = Counter(request.outcome for request in requests(1000, 1))
        assert outcomes["event"] > outcomes["filtered"] > outcomes["malformed"] > 0

    def test_every_form_holds_the_same_kind_of_payload(self) -> None:
        payloads = [
            *(json.loads(unquote(request.target.partition("?")[2])) for request in by_kind("json")),
            *(
                json.loads(urlsafe_b64decode(request.target.partition("?e=")[2] + "=="))
                for request in by_kind("base64url")
            ),
            *(dict(parse_qsl(request.target.partition("?")[2])) for request in by_kind("flat")),
        ]
        assert {"event", "url"} <= set.intersection(*(set(payload) for payload in payloads))

    def test_targets_are_ascii_without_blanks(self) -> None:
        assert all(re.fullmatch(r"[!-~]+", request.target) for request in requests(500, 1))

    def test_only_gets_of_the_pixel_are_hits(self) -> None:
        for request in islice(requests(500, 1), 500):
            hit = request.method == "GET" and request.target.partition("?")[0] == "/pixel.gif"
            assert hit == (request.outcome != "filtered")

    def test_visitors_come_over_both_protocols(self) -> None:
        addresses = {request.headers["X-Forwarded-For"] for request in requests(500, 1)}
        assert {":" in address for address in addresses} == {True, False}


class TestObjectName:
    @pytest.mark.parametrize(
        "name, compressed, expected",
        [
            ("E1.2026-11-24-22.4f2a91c3.gz", True, r"E1\.2026-11-24-22\.4f2a91c3-[0-9a-f]{8}\.gz"),
            ("file.log", False, r"file\.log-[0-9a-f]{8}"),
            ("file", True, r"file-[0-9a-f]{8}\.gz"),
            ("plain.gz", False, r"plain-[0-9a-f]{8}"),
        ],
    )
    def test_it_is_kept_made_unique_and_ends_as_its_content_asks(
        self, name: str, compressed: bool, expected: str
    ) -> None:
        assert re.fullmatch(expected, object_name(name, compressed))


class TestLogBucket:
    @pytest.fixture
    def s3(self, monkeypatch: pytest.MonkeyPatch) -> Mock:
        s3 = Mock(spec=["get_paginator", "get_object", "upload_file", "exceptions"])
        s3.exceptions = SimpleNamespace(NoSuchKey=KeyError)
        found = SimpleNamespace(log_bucket="logs", log_prefix="cloudfront/")
        monkeypatch.setattr("sandbox.traffic.boto3.client", lambda *_, **__: s3)
        monkeypatch.setattr(traffic, "find_distribution", lambda *_: found)
        monkeypatch.setattr("sandbox.traffic.time.sleep", lambda _: None)
        return s3

    @pytest.fixture
    def bucket(self, s3: Mock) -> LogBucket:
        return LogBucket("http://emulator", "us-east-1", "")

    def holds(self, s3: Mock, objects: dict[str, list[str]]) -> None:
        """Objects by key, each with the request ids of its lines."""

        def paginate(Bucket: str, Prefix: str) -> list[dict[str, list[dict[str, str]]]]:  # noqa: N803
            return [{"Contents": [{"Key": key} for key in objects if key.startswith(Prefix)]}]

        def get_object(Bucket: str, Key: str) -> dict[str, io.BytesIO]:  # noqa: N803
            text = "".join("\t".join([*("-" * 14), event_id, "-"]) + "\n" for event_id in objects[Key])
            return {"Body": io.BytesIO(gzip.compress(text.encode()))}

        s3.get_paginator.return_value.paginate.side_effect = paginate
        s3.get_object.side_effect = get_object

    def test_requests_are_found_where_they_wait_and_where_they_were_processed(
        self, s3: Mock, bucket: LogBucket
    ) -> None:
        self.holds(s3, {"cloudfront/1": ["a"], "Processed/cloudfront/2": ["b", "c"]})
        bucket.await_delivery({"a", "b", "c"}, set())
        assert len(s3.get_object.call_args_list) == 3

    def test_what_was_there_before_is_not_read(self, s3: Mock, bucket: LogBucket) -> None:
        self.holds(s3, {"cloudfront/1": ["a"], "Processed/cloudfront/2": ["b"]})
        bucket.await_delivery({"a"}, {"cloudfront/2"})
        assert [each.kwargs["Key"] for each in s3.get_object.call_args_list] == ["cloudfront/1"]

    def test_what_never_comes_is_an_error(self, s3: Mock, bucket: LogBucket, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(traffic, "DELIVERY_SECONDS", -1)
        self.holds(s3, {"cloudfront/1": ["a"]})
        with pytest.raises(SystemExit, match=r"2 of 2 requests in s3://logs/cloudfront/"):
            bucket.await_delivery({"a", "b"}, {"cloudfront/1"})

    def test_log_files_of_a_folder_are_put_under_the_prefix(self, s3: Mock, bucket: LogBucket, tmp_path: Path) -> None:
        (tmp_path / "b.gz").write_bytes(gzip.compress(b""))
        (tmp_path / "a.log").write_text("x")
        (tmp_path / "SOURCES.md").write_text("no log")
        (tmp_path / "expected.yml").write_text("no log")
        assert bucket.put(tmp_path) == 2
        keys = [each.args[2] for each in s3.upload_file.call_args_list]
        assert [re.sub(r"-[0-9a-f]{8}", "", key) for key in keys] == ["cloudfront/a.log", "cloudfront/b.gz"]

    def test_a_single_file_will_do(self, s3: Mock, bucket: LogBucket, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_text("x")
        assert bucket.put(tmp_path / "a.log") == 1
