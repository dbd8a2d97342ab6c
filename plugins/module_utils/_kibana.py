# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Calls to Kibana about what it keeps in a space."""

from __future__ import annotations

import contextlib
import json
import typing as t
from urllib.parse import quote

from ansible.module_utils.urls import prepare_multipart
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import (
    Client,
    ElasticsearchError,
    Form,
)

with contextlib.suppress(ImportError):  # the client says so
    from elastic_transport import NdjsonSerializer, TextSerializer

Json = dict[str, t.Any]
Key = tuple[str, str]  # type and id
DEFAULT_SPACE = "default"


def key_of(item: Json) -> Key:
    return item["type"], item["id"]


class KibanaClient(Client):  # type: ignore[misc] # mypy finds no collections
    # Kibana answers nothing that lacks it, so that no other page can ask in a signed-in reader's name.
    HEADERS: t.ClassVar[dict[str, str]] = {"kbn-xsrf": "simple_analytics.pipeline"}

    @staticmethod
    def transport_options() -> dict[str, t.Any]:
        return {"serializers": {"application/ndjson": NdjsonSerializer(), "multipart/form-data": TextSerializer()}}

    def space(self, name: str) -> Json | None:
        found: Json | None = self.get(f"/api/spaces/space/{quote(name, safe='')}")
        return found

    def create_space(self, body: Json) -> None:
        self.request("POST", "/api/spaces/space", body)

    def update_space(self, body: Json) -> None:
        self.request("PUT", f"/api/spaces/space/{quote(body['id'], safe='')}", body)

    def find(self, space: str, keys: t.Iterable[Key]) -> dict[Key, Json]:
        """Those of the objects that there are."""
        wanted = list(keys)
        while wanted:
            objects = [{"type": kind, "id": name} for kind, name in wanted]
            body = {"objects": objects, "excludeExportDetails": True}
            try:
                return {key_of(item): item for item in self.request("POST", _path(space, "_export"), body)}
            except ElasticsearchError as error:
                # It exports all of them or none, and names those that it lacks.
                missing = _missing(error.answer)
                if not missing:
                    raise
                wanted = [key for key in wanted if key not in missing]
        return {}

    def import_objects(self, space: str, objects: list[Json]) -> None:
        path = _path(space, "_import?overwrite=true")
        content = "".join(json.dumps(item) + "\n" for item in objects)
        field = {"filename": "objects.ndjson", "content": content, "mime_type": "application/ndjson"}
        answer = self.request("POST", path, Form(*prepare_multipart({"file": field})))
        problems = [f"{item['type']}/{item['id']}: {_problem(item['error'])}" for item in answer.get("errors", [])]
        # Kibana takes it under another id where another space has this one.
        problems += [
            f"{item['type']}/{item['id']}: another space has one of this id, so it was kept as {item['destinationId']}"
            for item in answer.get("successResults", [])
            if "destinationId" in item
        ]
        if problems or not answer["success"]:
            raise ElasticsearchError("POST", path, "; ".join(problems) or str(answer))

    def delete_object(self, space: str, key: Key) -> None:
        self.request("DELETE", _path(space, "/".join(quote(part, safe="") for part in key)) + "?force=true")


def _path(space: str, rest: str) -> str:
    prefix = "" if space == DEFAULT_SPACE else f"/s/{quote(space, safe='')}"
    return f"{prefix}/api/saved_objects/{rest}"


def _missing(answer: object) -> list[Key]:
    objects = answer.get("attributes", {}).get("objects", []) if isinstance(answer, dict) else []
    return [key_of(item) for item in objects if item.get("error", {}).get("statusCode") == 404]


def _problem(error: Json) -> str:
    lacks = ", ".join(f"{item['type']}/{item['id']}" for item in error.get("references", []))
    return f"{error.get('type', 'error')}: {error.get('message') or error.get('reason') or lacks}"
