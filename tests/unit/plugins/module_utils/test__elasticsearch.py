# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _elasticsearch
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from elastic_transport import ConnectionError as NoConnection
from elastic_transport import ConnectionTimeout, Transport

ELASTIC = "Basic ZWxhc3RpYzpzZWNyZXQ="
READER = "Basic cmVhZGVyOmd1ZXNz"


class Wire:
    """A transport that expects one call and gives one answer."""

    def __init__(self, status: int, body: object = None, failure: Exception | None = None) -> None:
        self.answer = SimpleNamespace(meta=SimpleNamespace(status=status), body=body)
        self.failure = failure
        self.calls: list[tuple[str, str, object, dict[str, str]]] = []

    def perform_request(self, method: str, target: str, *, body: object, headers: dict[str, str]) -> object:
        self.calls.append((method, target, body, headers))
        if self.failure:
            raise self.failure
        return self.answer


def client(wire: Wire) -> Client:
    return Client(t.cast("Transport", wire), "elastic", "secret")


class TestRequest:
    def test_sends_the_body_as_json_in_the_name_of_the_user(self) -> None:
        wire = Wire(200, {"acknowledged": True})
        assert client(wire).request("PUT", "/_x/y", {"a": 1}) == {"acknowledged": True}
        headers = {"accept": "application/json", "authorization": ELASTIC, "content-type": "application/json"}
        assert wire.calls == [("PUT", "/_x/y", {"a": 1}, headers)]

    def test_sends_no_content_type_without_a_body(self) -> None:
        wire = Wire(200, {})
        client(wire).request("DELETE", "/_x/y")
        assert wire.calls == [("DELETE", "/_x/y", None, {"accept": "application/json", "authorization": ELASTIC})]

    @pytest.mark.parametrize(
        "answer, message",
        [
            (
                {"error": {"type": "illegal_argument_exception", "reason": "no such thing"}, "status": 400},
                "Failed to PUT /_x/y: 400 illegal_argument_exception: no such thing",
            ),
            (
                {
                    "error": {
                        "type": "mapper_parsing_exception",
                        "reason": "failed to parse",
                        "caused_by": {"type": "a", "reason": "outer", "caused_by": {"type": "b", "reason": "No type"}},
                    }
                },
                "Failed to PUT /_x/y: 400 mapper_parsing_exception: failed to parse: No type",
            ),
            ({"error": "a text"}, "Failed to PUT /_x/y: 400 a text"),
            ("a proxy's page", "Failed to PUT /_x/y: 400 a proxy's page"),
        ],
    )
    def test_a_refusal_names_method_path_status_and_reason(self, answer: object, message: str) -> None:
        with pytest.raises(ElasticsearchError) as caught:
            client(Wire(400, answer)).request("PUT", "/_x/y", {})
        assert str(caught.value) == message
        assert caught.value.status == 400

    def test_an_unanswered_call_names_method_path_and_cause(self) -> None:
        wire = Wire(0, failure=ConnectionTimeout("too slow"))
        with pytest.raises(ElasticsearchError, match="Failed to GET /: Connection timed out") as caught:
            client(wire).request("GET", "/")
        assert caught.value.status is None

    @pytest.mark.parametrize("name", ["HTTPSConnection(host='a', port=1)", "<urllib3.HTTPConnection at 0x7f>"])
    def test_the_cause_is_told_without_a_librarys_objects(self, name: str) -> None:
        wire = Wire(0, failure=NoConnection(f"{name}: Failed to establish: refused", errors=(OSError("refused"),)))
        with pytest.raises(ElasticsearchError) as caught:
            client(wire).request("GET", "/")
        assert str(caught.value) == "Failed to GET /: Connection error: Failed to establish: refused"


class TestGet:
    def test_returns_the_answer(self) -> None:
        assert client(Wire(200, {"a": 1})).get("/a") == {"a": 1}

    def test_returns_none_for_what_does_not_exist(self) -> None:
        assert client(Wire(404, {"error": "gone"})).get("/a") is None

    def test_any_other_status_is_an_error(self) -> None:
        with pytest.raises(ElasticsearchError, match="403"):
            client(Wire(403, {"error": "no"})).get("/a")


class TestAccepts:
    @pytest.mark.parametrize("status, accepted", [(200, True), (401, False)])
    def test_asks_as_that_user(self, status: int, accepted: bool) -> None:
        wire = Wire(status, {})
        assert client(wire).accepts("reader", "guess") is accepted
        assert wire.calls[0][:2] == ("GET", "/_security/_authenticate")
        assert wire.calls[0][3]["authorization"] == READER

    def test_a_cluster_that_cannot_tell_is_an_error(self) -> None:
        with pytest.raises(ElasticsearchError, match="Failed to GET /_security/_authenticate: 503"):
            client(Wire(503, {"error": "starting"})).accepts("reader", "guess")


class TestFromParams:
    PARAMS: t.ClassVar = {
        "url": ["https://10.0.0.1:9200", "https://10.0.0.2:9200"],
        "username": "elastic",
        "password": "secret",
        "ca_path": None,
    }

    def test_knows_every_node_and_trusts_only_the_given_authority(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nodes: list[t.Any] = []
        monkeypatch.setattr(_elasticsearch, "Transport", nodes.extend)
        Client.from_params({**self.PARAMS, "ca_path": "/ca.crt"})
        assert [(node.host, node.port, node.ca_certs, node.verify_certs) for node in nodes] == [
            ("10.0.0.1", 9200, "/ca.crt", True),
            ("10.0.0.2", 9200, "/ca.crt", True),
        ]

    def test_says_which_library_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_elasticsearch, "HAS_ELASTIC_TRANSPORT", False)
        with pytest.raises(ElasticsearchError, match="elastic-transport"):
            Client.from_params(self.PARAMS)
