# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitoring API: of each answer the fields that something here reads."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import VERSION
from .event import Value
from .pipeline import Pipeline

log = logging.getLogger("logstash.agent")


class Api:
    def __init__(self, values: dict[str, Value], pipelines: list[Pipeline]) -> None:
        self._values = values
        self._pipelines = pipelines
        self._answers: dict[str, Callable[[], dict[str, Value]]] = {
            "": dict,
            "/_health_report": self._health,
            "/_node/pipelines": self._settings,
            "/_node/stats/pipelines": self._stats,
        }

    def start(self) -> None:
        """Listen on the first free port of those that `api.http.port` names."""
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                status, document = answer(self.path.partition("?")[0].rstrip("/"))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Requests are not logged."""

        first, _, last = str(self._values["api.http.port"]).partition("-")
        for port in range(int(first), int(last or first) + 1):
            try:
                server = ThreadingHTTPServer((self._values["api.http.host"], port), Handler)
            except OSError:
                continue
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._address = f"{self._values['api.http.host']}:{port}"
            log.info("Successfully started Logstash API endpoint {port: %s, ssl_enabled: false}", port)
            return
        raise OSError(f"No port is free of api.http.port: {self._values['api.http.port']}")

    def _answer(self, path: str) -> tuple[int, dict[str, Value]]:
        if path not in self._answers:
            return 404, {"path": path, "status": 404, "error": {"message": "Not Found"}}
        node = {
            "host": self._values["node.name"],
            "name": self._values["node.name"],
            "version": VERSION,
            "http_address": self._address,
            "status": "green" if all(pipeline.running for pipeline in self._pipelines) else "red",
            "pipeline": _batches(self._values),
        }
        return 200, node | self._answers[path]()

    def _health(self) -> dict[str, Value]:
        indicators = {
            pipeline.id: {
                "status": "green" if pipeline.running else "red",
                "details": {"status": {"state": "RUNNING" if pipeline.running else "TERMINATED"}},
            }
            for pipeline in self._pipelines
        }
        return {"indicators": {"pipelines": {"indicators": indicators}}}

    def _settings(self) -> dict[str, Value]:
        return {"pipelines": {pipeline.id: _batches(pipeline.values) for pipeline in self._pipelines}}

    def _stats(self) -> dict[str, Value]:
        return {"pipelines": {pipeline.id: _statistics(pipeline) for pipeline in self._pipelines if pipeline.running}}


def _batches(values: dict[str, Value]) -> dict[str, Value]:
    return {name: values[f"pipeline.{name.replace('_', '.')}"] for name in ("workers", "batch_size", "batch_delay")}


def _statistics(pipeline: Pipeline) -> dict[str, Value]:
    statistics: dict[str, Value] = {
        "events": pipeline.events,
        "queue": {"type": pipeline.values["queue.type"], "events_count": pipeline.queued},
    }
    if pipeline.dead_letters:
        statistics["dead_letter_queue"] = {
            "queue_size_in_bytes": pipeline.dead_letters.size(),
            "dropped_events": pipeline.dead_letters.dropped_events,
        }
    return statistics
