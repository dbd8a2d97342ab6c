# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import re
import socket
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call
from urllib.parse import unquote_to_bytes

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sandbox.edge.edge import FIELDS, AccessLog, Distribution, Edge, escape, find_distribution, policy_headers

DISTRIBUTION = Distribution(
    id="E1A2B3",
    domain_name="d111.cloudfront.net",
    bucket="pixel",
    origin_path="",
    default_root_object="",
    methods=frozenset({"GET", "HEAD"}),
    headers={"Cache-Control": "no-store"},
    log_bucket="logs",
    log_prefix="cloudfront/",
)
CONFIG = {
    "DefaultCacheBehavior": {
        "TargetOriginId": "pixel",
        "AllowedMethods": {"Items": ["GET", "HEAD"]},
        "ResponseHeadersPolicyId": "policy",
    },
    "Origins": {
        "Items": [
            {"Id": "other", "DomainName": "other.s3.us-east-1.amazonaws.com"},
            {"Id": "pixel", "DomainName": "pixel.s3.us-east-1.amazonaws.com"},
        ]
    },
    "Logging": {"Enabled": True, "Bucket": "logs.s3.amazonaws.com", "Prefix": "cloudfront/"},
}
POLICY = {
    "CustomHeadersConfig": {"Items": [{"Header": "Cache-Control", "Value": "no-store"}]},
    "CorsConfig": {"AccessControlAllowOrigins": {"Items": ["*"]}},
    "SecurityHeadersConfig": {"ContentTypeOptions": {}, "StrictTransportSecurity": {"AccessControlMaxAgeSec": 60}},
}
AWAY = EndpointConnectionError(endpoint_url="http://away")


def refusal(status: int) -> ClientError:
    return ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


class TestEscape:
    @pytest.mark.parametrize(
        "raw, written",
        [
            (b"", "-"),
            (b"e=eyJhIjoxfQ", "e=eyJhIjoxfQ"),
            (b"%7B%22a%22:1%7D", "%257B%2522a%2522:1%257D"),
            (b"<>\"#%{}|\\^~[]`'", "%3C%3E%22%23%25%7B%7D%7C%5C%5E%7E%5B%5D%60%27"),
            (b" \t\n\x00", "%20%09%0A%00"),
            (b"\x7f\xc3\xa4", "%7F%C3%A4"),
            (b"a+b&c=d;e/f?g!*()$,@:_-.", "a+b&c=d;e/f?g!*()$,@:_-."),
        ],
    )
    def test_bytes_are_written_as_cloudfront_writes_them(self, raw: bytes, written: str) -> None:
        assert escape(raw) == written

    def test_undone_once_it_is_what_was_sent(self) -> None:
        assert unquote_to_bytes(escape(bytes(range(256)))) == bytes(range(256))


class TestFindDistribution:
    @pytest.fixture
    def cloudfront(self) -> Mock:
        fake = Mock(spec=["list_distributions", "get_distribution_config", "get_response_headers_policy"])
        items = [
            {"Id": f"E{n}", "DomainName": f"d{n}.cloudfront.net", "Comment": f"landscape-{n} pixel", "Aliases": {}}
            for n in (1, 2)
        ]
        fake.list_distributions.return_value = {"DistributionList": {"Items": items}}
        fake.get_distribution_config.return_value = {"DistributionConfig": CONFIG}
        fake.get_response_headers_policy.return_value = {
            "ResponseHeadersPolicy": {"ResponseHeadersPolicyConfig": POLICY}
        }
        return fake

    @pytest.mark.parametrize(
        "name, expected", [("", "E1"), ("E2", "E2"), ("d2.cloudfront.net", "E2"), ("landscape-2 pixel", "E2")]
    )
    def test_it_goes_by_any_of_its_names(self, cloudfront: Mock, name: str, expected: str) -> None:
        found = find_distribution(cloudfront, name)
        assert found is not None
        assert found.id == expected

    def test_it_holds_what_the_configuration_says(self, cloudfront: Mock) -> None:
        found = find_distribution(cloudfront, "")
        assert found is not None
        assert (found.bucket, found.log_bucket, found.log_prefix) == ("pixel", "logs", "cloudfront/")
        assert found.methods == {"GET", "HEAD"}

    def test_there_may_be_none(self, cloudfront: Mock) -> None:
        assert find_distribution(cloudfront, "another") is None

    def test_a_policy_becomes_headers(self) -> None:
        assert policy_headers(POLICY) == {
            "Cache-Control": "no-store",
            "Access-Control-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
            "Strict-Transport-Security": "max-age=60",
        }


class TestAccessLog:
    HOUR = "2026-11-24\t22:00:00\tFRA56-P1"

    @pytest.fixture
    def s3(self) -> Mock:
        return Mock(spec=["put_object"])

    def test_a_batch_is_named_and_written_as_cloudfront_does(self, tmp_path: Path, s3: Mock) -> None:
        log = AccessLog(tmp_path, s3, 10)
        log.append(DISTRIBUTION, f"{self.HOUR}\t1")
        log.append(DISTRIBUTION, f"{self.HOUR}\t2")
        log.deliver()
        put = s3.put_object.call_args.kwargs
        assert put["Bucket"] == "logs"
        assert re.fullmatch(r"cloudfront/E1A2B3\.2026-11-24-22\.[0-9a-f]{8}\.gz", put["Key"])
        assert gzip.decompress(put["Body"]).decode().split("\n") == [
            "#Version: 1.0", f"#Fields: {FIELDS}", f"{self.HOUR}\t1", f"{self.HOUR}\t2", ""
        ]  # fmt: skip

    def test_each_hour_has_an_object_of_its_own(self, tmp_path: Path, s3: Mock) -> None:
        log = AccessLog(tmp_path, s3, 10)
        log.append(DISTRIBUTION, f"{self.HOUR}\t1")
        log.append(DISTRIBUTION, "2026-11-24\t23:00:00\tFRA56-P1\t2")
        log.deliver()
        assert len(s3.put_object.call_args_list) == 2

    def test_nothing_is_delivered_twice(self, tmp_path: Path, s3: Mock) -> None:
        log = AccessLog(tmp_path, s3, 10)
        log.append(DISTRIBUTION, self.HOUR)
        log.deliver()
        log.deliver()
        assert len(s3.put_object.call_args_list) == 1

    def test_what_s3_did_not_take_waits_over_a_restart_under_its_name(self, tmp_path: Path, s3: Mock) -> None:
        log = AccessLog(tmp_path, s3, 10)
        log.append(DISTRIBUTION, self.HOUR)
        s3.put_object.side_effect = AWAY
        with pytest.raises(EndpointConnectionError):
            log.deliver()
        refused = s3.put_object.call_args
        s3.put_object.side_effect = None
        AccessLog(tmp_path, s3, 10).deliver()
        assert s3.put_object.call_args.kwargs["Key"] == refused.kwargs["Key"]
        assert list(tmp_path.glob("*/*")) == []

    def test_a_killed_edge_left_its_lines(self, tmp_path: Path, s3: Mock) -> None:
        AccessLog(tmp_path, s3, 10).append(DISTRIBUTION, self.HOUR)
        AccessLog(tmp_path, s3, 10).deliver()
        assert self.HOUR.encode() in gzip.decompress(s3.put_object.call_args.kwargs["Body"])

    def test_a_full_batch_is_announced(self, tmp_path: Path, s3: Mock) -> None:
        log = AccessLog(tmp_path, s3, 2)
        log.append(DISTRIBUTION, self.HOUR)
        assert not log.full.is_set()
        log.append(DISTRIBUTION, self.HOUR)
        assert log.full.is_set()


class Running:
    """An edge on loopback whose distribution, origin and log are the test's."""

    def __init__(self, distribution: Distribution | None) -> None:
        self.s3 = Mock(spec=["get_object"])
        self.s3.get_object.side_effect = lambda **_: {
            "ContentType": "image/gif",
            "ETag": '"1"',
            "Body": io.BytesIO(b"GIF"),
        }
        self.log = Mock(spec=AccessLog)
        self.cloudfront = Mock(spec=["list_distributions"])
        self.edge = Edge(("127.0.0.1", 0), "", self.log, self.s3, self.cloudfront)
        self.edge.distribution = distribution
        self._thread = threading.Thread(target=self.edge.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.connection = HTTPConnection(*self.edge.server_address[:2], timeout=5)  # type: ignore[arg-type]
        self.body = b""

    def get(self, target: str, method: str = "GET", **headers: str) -> HTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, target, headers={"User-Agent": "curl/8", **named})
        response = self.connection.getresponse()
        self.body = response.read()
        return response

    def lines(self) -> list[dict[str, str]]:
        # A line is written after its answer; the next answer on the same connection comes after that.
        self.edge.distribution = None
        self.get("/")
        written = [logged.args[1].split("\t") for logged in self.log.append.call_args_list]
        return [dict(zip(FIELDS.split(" "), columns, strict=True)) for columns in written]

    def stop(self) -> None:
        self.connection.close()
        self.edge.shutdown()
        self._thread.join()
        self.edge.server_close()


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running(DISTRIBUTION)
    yield running
    running.stop()


class TestAnswers:
    def test_the_object_comes_with_the_policys_headers(self, running: Running) -> None:
        response = running.get("/pixel.gif?e=e30")
        assert (response.status, running.body) == (200, b"GIF")
        assert response.headers["Content-Type"] == "image/gif"
        assert response.headers["Cache-Control"] == "no-store"
        assert running.s3.get_object.call_args_list == [call(Bucket="pixel", Key="pixel.gif")]

    def test_the_origin_is_asked_once_whatever_the_query(self, running: Running) -> None:
        results = [running.get(f"/pixel.gif?{n}").headers["X-Cache"] for n in range(3)]
        assert results == ["Miss from cloudfront", "Hit from cloudfront", "Hit from cloudfront"]
        assert len(running.s3.get_object.call_args_list) == 1

    def test_head_has_no_body(self, running: Running) -> None:
        response = running.get("/pixel.gif", "HEAD")
        assert (response.status, response.headers["Content-Length"], running.body) == (200, "3", b"")

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_refusal_of_the_origin_is_passed_on(self, running: Running, status: int) -> None:
        running.s3.get_object.side_effect = refusal(status)
        assert running.get("/favicon.ico").status == status

    def test_other_methods_are_refused(self, running: Running) -> None:
        assert running.get("/pixel.gif", "DELETE").status == 403

    def test_an_origin_that_is_away_is_a_bad_gateway(self, running: Running) -> None:
        running.s3.get_object.side_effect = AWAY
        assert running.get("/pixel.gif").status == 502

    def test_an_object_that_was_read_outlives_its_origin(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sandbox.edge.edge.FRESH_SECONDS", -1)
        running.get("/pixel.gif")
        running.s3.get_object.side_effect = AWAY
        assert running.get("/pixel.gif").status == 200

    def test_without_a_distribution_nothing_is_served_or_logged(self, running: Running) -> None:
        running.edge.distribution = None
        assert running.get("/pixel.gif").status == 503
        assert running.lines() == []


class TestRefresh:
    def test_a_distribution_that_was_deleted_is_gone(self, running: Running) -> None:
        running.cloudfront.list_distributions.return_value = {"DistributionList": {}}
        running.edge.refresh()
        assert running.get("/pixel.gif").status == 503

    def test_while_aws_is_away_all_stays_as_it_was(self, running: Running) -> None:
        running.cloudfront.list_distributions.side_effect = AWAY
        running.edge.refresh()
        assert running.get("/pixel.gif").status == 200

    def test_a_delivery_that_fails_does_not_end_the_edge(self, running: Running) -> None:
        running.cloudfront.list_distributions.return_value = {"DistributionList": {}}
        running.log.deliver.side_effect = AWAY
        running.edge.refresh()
        assert running.log.deliver.call_args_list == [call()]


class TestLines:
    def test_a_hit_has_33_columns(self, running: Running) -> None:
        response = running.get("/pixel.gif?%7B%22a%22:1%7D", Referer="https://example.org/a b", Host="stats.example")
        (line,) = running.lines()
        assert len(line) == 33
        assert line["cs-uri-stem"] == "/pixel.gif"
        assert line["cs-uri-query"] == "%257B%2522a%2522:1%257D"
        assert line["cs(Referer)"] == "https://example.org/a%20b"
        assert line["x-edge-request-id"] == response.headers["X-Amz-Cf-Id"]
        assert [line[name] for name in ("cs-method", "sc-status", "x-edge-result-type")] == ["GET", "200", "Miss"]
        assert [line[name] for name in ("cs(Host)", "x-host-header", "cs(Cookie)")] == [
            "d111.cloudfront.net", "stats.example", "-"
        ]  # fmt: skip
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", f"{line['date']} {line['time']}")

    def test_request_ids_are_unique(self, running: Running) -> None:
        for _ in range(50):
            running.get("/pixel.gif")
        assert len({line["x-edge-request-id"] for line in running.lines()}) == 50

    @pytest.mark.parametrize(
        "header, client, forwarded",
        [
            ("203.0.113.9", "203.0.113.9", "-"),
            ("2001:db8::9", "2001:db8::9", "-"),
            ("198.51.100.7,10.0.0.1, 203.0.113.9", "203.0.113.9", "198.51.100.7,%2010.0.0.1"),
        ],
    )
    def test_a_request_can_come_from_any_address(
        self, running: Running, header: str, client: str, forwarded: str
    ) -> None:
        running.get("/pixel.gif", X_Forwarded_For=header)
        (line,) = running.lines()
        assert (line["c-ip"], line["x-forwarded-for"]) == (client, forwarded)

    def test_without_such_a_header_it_comes_from_its_peer(self, running: Running) -> None:
        running.get("/pixel.gif")
        assert running.lines()[0]["c-ip"] == "127.0.0.1"

    def test_bytes_that_are_no_ascii_are_escaped(self, running: Running) -> None:
        running.connection.putrequest("GET", "/pixel.gif", skip_accept_encoding=True)
        running.connection.putheader("User-Agent", "caf\xe9".encode("latin-1"))
        running.connection.endheaders()
        running.connection.getresponse().read()
        assert running.lines()[0]["cs(User-Agent)"] == "caf%E9"

    def test_refusals_are_logged_too(self, running: Running) -> None:
        running.s3.get_object.side_effect = refusal(404)
        running.get("/favicon.ico")
        running.get("/pixel.gif", "POST")
        statuses = [(line["cs-method"], line["sc-status"], line["x-edge-result-type"]) for line in running.lines()]
        assert statuses == [("GET", "404", "Error"), ("POST", "403", "Error")]

    @pytest.mark.parametrize(
        "target, headers, status", [("/pixel.gif?" + "a" * 8182, {}, 414), ("/pixel.gif", {"X_Long": "a" * 20480}, 413)]
    )
    def test_what_is_too_large_is_refused_and_leaves_no_line(
        self, running: Running, target: str, headers: dict[str, Any], status: int
    ) -> None:
        assert running.get(target, **headers).status == status
        assert running.lines() == []

    def test_a_viewer_that_left_is_logged_as_such(self, running: Running) -> None:
        gone, logged = threading.Event(), threading.Event()

        def get_object(**_: str) -> dict[str, Any]:
            gone.wait(5)
            return {"ContentType": "image/gif", "ETag": '"1"', "Body": io.BytesIO(b"GIF")}

        running.s3.get_object.side_effect = get_object
        running.log.append.side_effect = lambda *_: logged.set()
        running.connection.request("GET", "/pixel.gif")
        reset_on_close = struct.pack("ii", 1, 0)
        running.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
        running.connection.close()
        gone.set()
        assert logged.wait(5)
        (line,) = running.lines()
        assert (line["sc-status"], line["sc-bytes"], line["x-edge-detailed-result-type"]) == (
            "000",
            "0",
            "ClientCommError",
        )

    def test_the_longest_url_is_logged(self, running: Running) -> None:
        assert running.get("/pixel.gif?" + "a" * 8181).status == 200
        assert len(running.lines()[0]["cs-uri-query"]) == 8181

    def test_a_distribution_may_have_no_log(self) -> None:
        running = Running(Distribution(**{**vars(DISTRIBUTION), "log_bucket": ""}))
        try:
            assert running.get("/pixel.gif").status == 200
            assert running.lines() == []
        finally:
            running.stop()
