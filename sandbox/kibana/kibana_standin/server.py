# SPDX-License-Identifier: GPL-3.0-or-later
"""Health, spaces and saved objects, for whom Elasticsearch lets in."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import sys
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import yaml

from . import keystore

Json = dict[str, Any]
PROVIDERS = "xpack.security.authc.providers"
ANONYMOUS = f"{PROVIDERS}.anonymous.anonymous1"
TOKEN = "elasticsearch.serviceAccountToken"
KNOWN = {
    *("server.name", "server.host", "server.port", "server.publicBaseUrl"),
    *("server.ssl.enabled", "server.ssl.certificate", "server.ssl.key"),
    *("elasticsearch.hosts", "elasticsearch.ssl.certificateAuthorities", "elasticsearch.ssl.verificationMode", TOKEN),
    *(f"xpack.{owner}.encryptionKey" for owner in ("encryptedSavedObjects", "reporting", "security")),
    *(f"{PROVIDERS}.basic.basic1.order", f"{ANONYMOUS}.order"),
    *(f"{ANONYMOUS}.credentials.{name}" for name in ("username", "password")),
    *("path.data", "telemetry.optIn", "newsfeed.enabled"),
}


class RefusedError(Exception):
    """What is answered in place of what was asked for."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status, self.body = status, {"statusCode": status, "message": message, **more}


class Kibana:
    """Its settings, and what it keeps."""

    def __init__(self, settings: Json) -> None:
        if unknown := sorted(settings.keys() - KNOWN):
            raise SystemExit(f"Unknown configuration key(s): {', '.join(unknown)}. Check for spelling errors.")
        if TOKEN not in settings:
            raise SystemExit(f"{TOKEN} is neither in kibana.yml nor in the keystore.")
        if f"{ANONYMOUS}.order" not in settings and any(name.startswith(f"{ANONYMOUS}.") for name in settings):
            raise SystemExit(f"[{ANONYMOUS}.order]: expected value of type [number] but got [undefined]")
        self.settings, self._file = settings, Path(settings["path.data"]) / "objects.json"
        self._trusted = ssl.create_default_context(cafile=settings["elasticsearch.ssl.certificateAuthorities"][0])
        self.lock = Lock()
        self.kept: Json = {"default": {"space": {"id": "default", "name": "Default", "_reserved": True}, "objects": {}}}
        if self._file.exists():
            self.kept = json.loads(self._file.read_text())

    def save(self) -> None:
        self._file.write_text(json.dumps(self.kept))

    def who(self, authorization: str) -> Json:
        """The user that Elasticsearch takes this for."""
        problems = []
        for host in self.settings["elasticsearch.hosts"]:
            request = Request(f"{host}/_security/_authenticate", headers={"Authorization": authorization})
            try:
                with urlopen(request, timeout=5, context=self._trusted) as answer:
                    user: Json = json.loads(answer.read())
                    return user
            except HTTPError as error:
                raise RefusedError(error.code, "Unauthorized") from error
            except OSError as error:
                problems.append(f"{host}: {error}")
        raise RefusedError(503, f"Elasticsearch does not answer: {'; '.join(problems)}")

    def anonymous(self) -> str:
        if f"{ANONYMOUS}.order" not in self.settings:
            raise RefusedError(401, "Unauthorized")
        credentials = ":".join(self.settings[f"{ANONYMOUS}.credentials.{name}"] for name in ("username", "password"))
        return f"Basic {base64.b64encode(credentials.encode()).decode()}"

    def status(self) -> tuple[int, Json]:
        """As much of it as there is for whoever has not signed in."""
        try:
            self.who(f"Bearer {self.settings[TOKEN]}")
        except RefusedError:
            return 503, {"status": {"overall": {"level": "unavailable"}}}
        return 200, {"status": {"overall": {"level": "available"}}}

    def space(self, name: str) -> Json:
        if name not in self.kept:
            raise RefusedError(404, f"There is no space {name}.")
        space: Json = self.kept[name]
        return space

    def put_space(self, body: Json) -> Json:
        self.kept.setdefault(body["id"], {"objects": {}})["space"] = body
        return body

    def export(self, space: str, wanted: list[Json]) -> list[Json]:
        objects = self.space(space)["objects"]
        missing = [item for item in wanted if key_of(item) not in objects]
        if missing:
            lacking = [{**item, "error": {"statusCode": 404}} for item in missing]
            raise RefusedError(400, "Error fetching objects to export", attributes={"objects": lacking})
        return [objects[key_of(item)] for item in wanted]

    def take(self, space: str, given: list[Json]) -> Json:
        objects = self.space(space)["objects"]
        if old := [key_of(item) for item in given if "typeMigrationVersion" not in item and "formBased" in str(item)]:
            raise RefusedError(500, f"{', '.join(old)} cannot be converted from the first version on.")
        arriving = {key_of(item): item for item in given}
        errors = [
            {**item, "error": {"type": "missing_references", "references": lacking}}
            for item in given
            if (lacking := [one for one in item["references"] if key_of(one) not in {**objects, **arriving}])
        ]
        if not errors:
            objects.update(arriving)
        return {"success": not errors, "successCount": len(given) - len(errors), "errors": errors}

    def delete(self, space: str, kind: str, name: str) -> Json:
        if self.space(space)["objects"].pop(f"{kind}/{name}", None) is None:
            raise RefusedError(404, f"Saved object [{kind}/{name}] not found")
        return {}


def key_of(item: Json) -> str:
    return f"{item['type']}/{item['id']}"


class Handler(BaseHTTPRequestHandler):
    kibana: Kibana

    def answer(self) -> None:
        try:
            with self.kibana.lock:
                status, body = self.result()
        except RefusedError as error:
            status, body = error.status, error.body
        lines = isinstance(body, list)
        content = "\n".join(map(json.dumps, body)) if lines else json.dumps(body)
        self.send_response(status)
        self.send_header("Content-Type", f"application/{'ndjson' if lines else 'json'}")
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the server's names

    def result(self) -> tuple[int, Any]:
        kibana, path = self.kibana, urlsplit(self.path).path
        if path == "/api/status":
            return kibana.status()
        user = kibana.who(self.headers.get("Authorization") or kibana.anonymous())
        if path == "/internal/security/me":
            return 200, user
        if self.command != "GET":
            if "kbn-xsrf" not in self.headers:
                raise RefusedError(400, "Request must contain a kbn-xsrf header.")
            if "superuser" not in user["roles"]:
                raise RefusedError(403, f"{user['username']} may only read.")
        before = json.dumps(kibana.kept)
        found = self.asked(path)
        if json.dumps(kibana.kept) != before:
            kibana.save()
        return 200, found

    def asked(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        match = re.fullmatch(r"(?:/s/([^/]+))?/api/(spaces/space|saved_objects)(?:/([^/]+))?(?:/([^/]+))?", path)
        if not match:
            raise RefusedError(404, "Not Found")
        space, api, first, second = (unquote(part) if part else "" for part in match.groups())
        space = space or "default"
        match (self.command, api, first, second):
            case ("GET", "spaces/space", name, ""):
                return self.kibana.space(name)["space"]
            case ("POST", "spaces/space", "", "") | ("PUT", "spaces/space", _, ""):
                return self.kibana.put_space(json.loads(self.content()))
            case ("POST", "saved_objects", "_export", ""):
                return self.kibana.export(space, json.loads(self.content())["objects"])
            case ("POST", "saved_objects", "_import", ""):
                return self.kibana.take(space, self.uploaded())
            case ("DELETE", "saved_objects", kind, name):
                return self.kibana.delete(space, kind, name)
        raise RefusedError(404, "Not Found")

    def content(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def uploaded(self) -> list[Json]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        [file] = message_from_bytes(head + self.content(), policy=HTTP).iter_parts()
        return [json.loads(line) for line in file.get_content().splitlines()]


def main() -> None:
    if os.getuid() == 0:
        sys.exit("Kibana should not be run as root.  Use --allow-root to continue.")
    settings = yaml.safe_load((keystore.keystore().parent / "kibana.yml").read_text()) | keystore.read()
    Handler.kibana = Kibana(settings)
    server = ThreadingHTTPServer((settings["server.host"], settings["server.port"]), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["server.ssl.certificate"], settings["server.ssl.key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
