# SPDX-License-Identifier: GPL-3.0-or-later
"""Kibana cannot run here, so what it is asked is held to what its API documentation allows."""

from __future__ import annotations

import json
import re
import typing as t
from email import message_from_bytes
from email.policy import HTTP
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._kibana import KibanaClient
from elastic_transport import Transport

SPACE = {"id", "name", "description", "color", "initials", "imageUrl", "disabledFeatures", "solution"}
# From https://www.elastic.co/docs/api/doc/kibana (9.x): method, path, parameters of the query, keys of the body.
DOCUMENTED = [
    ("GET", r"/api/spaces/space/[^/]+", set(), None),
    ("POST", r"/api/spaces/space", set(), SPACE),
    ("PUT", r"/api/spaces/space/[^/]+", set(), SPACE),
    (
        "POST",
        r"(/s/[^/]+)?/api/saved_objects/_export",
        set(),
        {"type", "objects", "search", "hasReference", "includeReferencesDeep", "excludeExportDetails"},
    ),
    (
        "POST",
        r"(/s/[^/]+)?/api/saved_objects/_import",
        {"overwrite", "createNewCopies", "compatibilityMode"},
        {"file"},
    ),
    ("DELETE", r"(/s/[^/]+)?/api/saved_objects/[^/]+/[^/]+", {"force"}, None),
]
VIEW = {"type": "index-pattern", "id": "events", "attributes": {"title": "events"}, "references": []}
BOARD = {"type": "dashboard", "id": "web", "attributes": {"title": "Web"}, "references": []}


class Kibana:
    """A transport that takes documented calls only, notes them, and gives the answers in turn."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, str, t.Any]] = []

    def perform_request(self, method: str, target: str, *, body: object, headers: dict[str, str]) -> object:
        asked = urlsplit(target)
        allowed = [
            (query, keys) for verb, path, query, keys in DOCUMENTED if verb == method and re.fullmatch(path, asked.path)
        ]
        assert allowed, f"{method} {asked.path} is not documented"
        [(query, keys)] = allowed
        assert parse_qs(asked.query).keys() <= query
        assert headers["kbn-xsrf"]
        content: t.Any = uploaded(headers["content-type"], body) if isinstance(body, bytes) else body
        assert isinstance(content, dict) if keys else content is None
        assert set(content or {}) <= (keys or set())
        self.calls.append((method, target, content))
        status, answer = self.answers.pop(0)
        return SimpleNamespace(meta=SimpleNamespace(status=status), body=answer)


def uploaded(content_type: str, body: bytes) -> dict[str, list[t.Any]]:
    """The files of a form, each as its lines of JSON."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    assert message.get_content_type() == "multipart/form-data"
    return {
        str(part.get_param("name", header="content-disposition")): [
            json.loads(line) for line in part.get_content().splitlines()
        ]
        for part in message.iter_parts()
    }


def client(kibana: Kibana) -> KibanaClient:
    return KibanaClient(t.cast("Transport", kibana), "elastic", "secret")


def lacks(*items: dict[str, t.Any]) -> tuple[int, object]:
    objects = [{"type": item["type"], "id": item["id"], "error": {"statusCode": 404}} for item in items]
    message = "Error fetching objects to export"
    return 400, {"statusCode": 400, "error": "Bad Request", "message": message, "attributes": {"objects": objects}}


KEYS = [("index-pattern", "events"), ("dashboard", "web")]


class TestFind:
    def test_exports_them(self) -> None:
        kibana = Kibana((200, [VIEW, BOARD]))
        assert client(kibana).find("analytics", KEYS) == dict(zip(KEYS, [VIEW, BOARD], strict=True))
        [(method, path, body)] = kibana.calls
        assert (method, path) == ("POST", "/s/analytics/api/saved_objects/_export")
        assert body["excludeExportDetails"]
        assert body["objects"] == [{"type": "index-pattern", "id": "events"}, {"type": "dashboard", "id": "web"}]

    def test_asks_again_without_those_that_are_missing(self) -> None:
        kibana = Kibana(lacks(BOARD), (200, [VIEW]))
        assert client(kibana).find("default", KEYS) == {KEYS[0]: VIEW}
        assert [path for _, path, _ in kibana.calls] == ["/api/saved_objects/_export"] * 2

    def test_nothing_is_there(self) -> None:
        assert client(Kibana(lacks(VIEW, BOARD))).find("default", KEYS) == {}

    def test_asks_nothing_about_nothing(self) -> None:
        assert client(Kibana()).find("default", []) == {}

    def test_another_refusal_is_an_error(self) -> None:
        refusal = {"statusCode": 403, "error": "Forbidden", "message": "Unable to bulk_get dashboard"}
        with pytest.raises(ElasticsearchError, match=r"_export: 403 Unable to bulk_get dashboard"):
            client(Kibana((403, refusal))).find("default", KEYS)


class TestImport:
    def test_uploads_a_line_each(self) -> None:
        kibana = Kibana((200, {"success": True, "successCount": 2, "successResults": [VIEW, BOARD]}))
        client(kibana).import_objects("analytics", [VIEW, BOARD])
        [(method, path, body)] = kibana.calls
        assert (method, path) == ("POST", "/s/analytics/api/saved_objects/_import?overwrite=true")
        assert body == {"file": [VIEW, BOARD]}

    @pytest.mark.parametrize(
        "error, said",
        [
            (
                {"type": "missing_references", "references": [{"type": "index-pattern", "id": "events"}]},
                "missing_references: index-pattern/events",
            ),
            ({"type": "unknown", "message": "too large", "statusCode": 413}, "unknown: too large"),
        ],
    )
    def test_names_what_was_not_taken(self, error: dict[str, t.Any], said: str) -> None:
        answer = {"success": False, "successCount": 0, "errors": [{"type": "dashboard", "id": "web", "error": error}]}
        with pytest.raises(ElasticsearchError, match=f"dashboard/web: {said}"):
            client(Kibana((200, answer))).import_objects("default", [BOARD])

    def test_an_object_that_became_another_is_no_success(self) -> None:
        """Kibana gives it a new id where another space has this one, so the next run would import it again."""
        answer = {"success": True, "successCount": 1, "successResults": [{**BOARD, "destinationId": "8f2c"}]}
        with pytest.raises(ElasticsearchError, match=r"dashboard/web: another space .* kept as 8f2c"):
            client(Kibana((200, answer))).import_objects("default", [BOARD])


class TestSpaces:
    def test_there_is_none(self) -> None:
        assert client(Kibana((404, {"error": "Not Found", "message": "Not Found"}))).space("a b") is None

    def test_is_made_and_changed(self) -> None:
        kibana = Kibana((200, {}), (200, {}))
        client(kibana).create_space({"id": "analytics", "name": "A"})
        client(kibana).update_space({"id": "analytics", "name": "B"})
        assert [(method, path) for method, path, _ in kibana.calls] == [
            ("POST", "/api/spaces/space"),
            ("PUT", "/api/spaces/space/analytics"),
        ]


def test_deletes_by_type_and_id() -> None:
    kibana = Kibana((200, {}))
    client(kibana).delete_object("analytics", ("dashboard", "a/b"))
    assert kibana.calls == [("DELETE", "/s/analytics/api/saved_objects/dashboard/a%2Fb?force=true", None)]


def test_the_transport_reads_and_writes_what_kibana_speaks() -> None:
    params = {"url": ["https://127.0.0.1:5601"], "username": "elastic", "password": "secret", "ca_path": None}
    serializers = t.cast("KibanaClient", KibanaClient.from_params(params))._transport.serializers
    assert serializers.loads(b'{"a":1}\n{"b":2}\n', "application/ndjson") == [{"a": 1}, {"b": 2}]
    assert serializers.dumps(b"as it is", "multipart/form-data; boundary=x") == b"as it is"
