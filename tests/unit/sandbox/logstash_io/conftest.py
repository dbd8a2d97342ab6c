# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in's plugins talk to: S3 in memory, and an Elasticsearch that answers as it is told."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError
from logstash_standin import config
from logstash_standin.dead_letters import DeadLetterQueue
from logstash_standin.plugins import Factory
from logstash_standin.plugins.base import ExecutionContext, Plugin
from logstash_standin.plugins.inputs import s3 as s3_input
from logstash_standin.plugins.outputs import s3 as s3_output

Told = TypeVar("Told")

MISSING = {"Error": {"Code": "NoSuchBucket", "Message": "The specified bucket does not exist"}}
NO_KEY = {"Error": {"Code": "NoSuchKey", "Message": "The specified key does not exist."}}


class FakeS3:
    """The calls that the plugins make, with the shapes of boto3."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, dict[str, Any]]] = {"bucket": {}}
        self.failures: list[ClientError] = []

    def _bucket(self, name: str) -> dict[str, dict[str, Any]]:
        if self.failures:
            raise self.failures.pop(0)
        if name not in self.buckets:
            raise ClientError(MISSING, "any")
        return self.buckets[name]

    def _object(self, bucket: str, key: str) -> dict[str, Any]:
        if key not in self._bucket(bucket):
            raise ClientError(NO_KEY, "any")
        return self.buckets[bucket][key]

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **properties: str) -> None:  # noqa: N803
        self._bucket(Bucket)[Key] = {"Body": Body, "LastModified": dt.datetime.now(dt.UTC), **properties}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        found = self._object(Bucket, Key)
        return found | {"Body": io.BytesIO(found["Body"])}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"LastModified": self._object(Bucket, Key)["LastModified"].replace(microsecond=0)}

    def head_bucket(self, *, Bucket: str) -> None:  # noqa: N803
        self._bucket(Bucket)

    def copy_object(self, *, CopySource: dict[str, str], Bucket: str, Key: str) -> None:  # noqa: N803
        self._bucket(Bucket)[Key] = dict(self._object(**{name.lower(): value for name, value in CopySource.items()}))

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        self._bucket(Bucket).pop(Key, None)

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        for key, found in sorted(self._bucket(Bucket).items()):
            if key.startswith(Prefix):
                listed = {"Key": key, "Size": len(found["Body"]), "LastModified": found["LastModified"]}
                yield {"Contents": [listed]}


class Stub(ThreadingHTTPServer):
    """Elasticsearch by a vector's `stub.json`; `bulks` holds the lines of the bulk calls."""

    daemon_threads = True

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.told = told
        self.calls: list[str] = []
        self.headers: dict[str, str] = {}
        self.bulks: list[list[Any]] = []

    def next(self, name: str, default: Told) -> Told:
        """What is told under the name: one answer after another."""
        told: list[Told] = self.told.get(name, [])
        return told.pop(0) if told else default

    def item(self, action: dict[str, Any]) -> dict[str, Any]:
        statuses = self.told.get("items_by_id", {}).get(action["_id"], [201])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        types = {400: "document_parsing_exception", 404: "index_not_found_exception", 403: "cluster_block_exception"}
        types[409] = "version_conflict_engine_exception"
        error = {"error": {"type": types.get(status, "any_exception"), "reason": "told so"}} if status > 201 else {}
        return {"index": {"_index": action["_index"], "_id": action["_id"], "status": status, **error}}


class Handler(BaseHTTPRequestHandler):
    server: Stub
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def do_HEAD(self) -> None:
        self._answer(self.server.next("root_http", 200), b"")

    def do_GET(self) -> None:
        answers = {
            "/": {"version": {"number": "9.1.0"}},
            "/_license": {"license": {"type": "basic", "status": "active"}}
            if "license" not in self.server.told
            else {},
        }
        status = self.server.next("root_http", 200) if self.path == "/" else 200
        self._answer(status, json.dumps(answers[self.path]).encode())

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
        lines = [json.loads(line, parse_float=str) for line in body.decode().splitlines()]
        self.server.bulks.append(lines)
        names = ("content-type", "content-encoding", "authorization")
        self.server.headers = {name: self.headers[name] for name in names if name in self.headers}
        items = [self.server.item(line["index"]) for line in lines[::2]]
        answer = {"errors": any("error" in item["index"] for item in items), "items": items}
        if self.server.next("bulk_drop", False):
            self.close_connection = True
            return
        raw = self.server.next("bulk_raw", None) or json.dumps(answer)
        self._answer(self.server.next("bulk_http", 200), raw.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.server.calls.append(f"{self.command} {self.path.split('?')[0]}")
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Stop(threading.Event):
    """A stop that lets no time pass: it notes for how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.after_waits = 10_000

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        if len(self.waits) >= self.after_waits:
            self.set()
        return self.is_set()


class Workshop:
    """Makes plugins from a configuration's text, as a pipeline would."""

    def __init__(self, directory: Path) -> None:
        self.settings = {"pipeline.ecs_compatibility": "v8", "path.plugins": [], "queue.type": "memory"}
        self.directory = directory
        self.stop = Stop()
        self.dead_letters: DeadLetterQueue | None = None
        self.variables = {"VEC_OUT": str(directory), "VEC_S3": "", "VEC_BUCKET": "bucket"}

    def plugins(self, section: str, text: str) -> list[Plugin]:
        def filled(value: str) -> str:
            for name, meaning in self.variables.items():
                value = value.replace(f"${{{name}}}", meaning)
            return value

        context = ExecutionContext("main", self.directory, self.settings, self.dead_letters, stopping=self.stop)
        parsed = config.parse(text, "pipeline.conf", filled)
        return [Factory(context, filled).make(plugin, "plugin") for plugin in getattr(parsed, section)]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    fake = FakeS3()
    for module in (s3_input, s3_output):
        monkeypatch.setattr(module, "s3_client", lambda _settings: fake)
    return fake


@pytest.fixture
def stub(workshop: Workshop) -> Iterator[Callable[[dict[str, Any]], Stub]]:
    started: list[Stub] = []

    def start(told: dict[str, Any]) -> Stub:
        server = Stub(told)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        workshop.variables["VEC_ES"] = f"http://127.0.0.1:{server.server_port}"
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()
