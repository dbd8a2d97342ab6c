# SPDX-License-Identifier: GPL-3.0-or-later
"""Events as documents, by the bulk API."""

from __future__ import annotations

import gzip
import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import urllib3

from ...config import ConfigurationError
from ...event import Event, to_json
from ...log import inspect
from ..base import AbortedBatch, ExecutionContext, Option, Output

BULK = "/_bulk?filter_path=errors,items.*.error,items.*.status"
RESURRECT_DELAY = 5
TIMEOUT = 60
DONE = {200, 201}
CONFLICT = 409
REFUSED = {400, 404}
TOO_LARGE = 413
TOO_MANY = 429
LOCKED_OUT = {401: "credentials", 403: "privileges"}
PLACEHOLDER = re.compile(r"%\{.*?\}")
Action = tuple[dict[str, Any], Event]


class BadResponseError(Exception):
    def __init__(self, status: int, url: str) -> None:
        super().__init__(f"Got response code '{status}' contacting Elasticsearch at URL '{url}'")
        self.status = status


class Elasticsearch(Output):
    options: ClassVar[dict[str, Option]] = {
        "hosts": Option("array", required=True),
        "action": Option(("index", "create"), default="index"),
        "index": Option(required=True),
        "document_id": Option(),
        "version": Option(),
        "version_type": Option(("internal", "external", "external_gt", "external_gte", "force")),
        "user": Option(),
        "password": Option("password"),
        "ssl_certificate_authorities": Option("array", default=[]),
        "manage_template": Option(("false",), required=True),
        "ilm_enabled": Option(("false",), required=True),
        "data_stream": Option(("false",), default="false"),
        "silence_errors_in_log": Option("array", default=[]),
        "retry_initial_interval": Option("number", default=2),
        "retry_max_interval": Option("number", default=64),
    }

    def __init__(self, context: ExecutionContext, settings: dict[str, Any]) -> None:
        super().__init__(context, settings)
        if len(settings["ssl_certificate_authorities"]) > 1:
            raise ConfigurationError("Multiple values on `ssl_certificate_authorities` are not supported")

    def register(self) -> None:
        headers = {"content-type": "application/json"}
        if self.settings["user"] and self.settings["password"]:
            headers |= urllib3.make_headers(basic_auth=f"{self.settings['user']}:{self.settings['password']}")
        authority = next(iter(self.settings["ssl_certificate_authorities"]), None)
        self.http = urllib3.PoolManager(headers=headers, retries=False, timeout=TIMEOUT, ca_certs=authority)
        self.dead = [host.rstrip("/") for host in self.settings["hosts"]]
        self.living: list[str] = []
        self.connected = False
        self._check_dead_hosts(registering=True)

    def close(self) -> None:
        self.http.clear()

    def receive(self, events: list[Event]) -> None:
        actions = [(self._action(event), event) for event in events]
        unnamed = [(action, event) for action, event in actions if PLACEHOLDER.search(action["_index"])]
        actions = [(action, event) for action, event in actions if not PLACEHOLDER.search(action["_index"])]
        intervals = self._intervals()
        while actions:
            actions = self._submit(actions)
            if actions:
                self.log.info("Retrying individual bulk actions that failed or were rejected: %d", len(actions))
                self._pause(next(intervals), abort=self.context.settings["queue.type"] == "persisted")
        if unnamed and self.context.dead_letters:
            self.log.warning("Events could not be indexed and routing to DLQ, count: %d", len(unnamed))
        for action, event in unnamed:
            self._give_up(
                event,
                f"Badly formatted index, after interpolation still contains placeholder: [{action['_index']}];"
                f" event: `{inspect(event.data)}`",
            )

    def _action(self, event: Event) -> dict[str, Any]:
        names = {"_id": "document_id", "_index": "index", "version": "version", "version_type": "version_type"}
        filled = {key: event.sprintf(self.settings[name]) for key, name in names.items() if self.settings[name]}
        return {"_id": None, "_index": None, "routing": None} | filled

    def _submit(self, actions: list[Action]) -> list[Action]:
        """Send the actions once; those that may succeed another time are returned."""
        response = self._bulk(actions)
        again = []
        refused = 0
        for (action, event), item in zip(actions, response["items"], strict=True) if response["errors"] else ():
            status, error = item[self.settings["action"]]["status"], item[self.settings["action"]].get("error")
            details = f"status: {status}, action: {self._described(action, event)}, response: {inspect(item)}"
            if status in DONE:
                continue
            if status == CONFLICT:
                if error["type"] not in self.settings["silence_errors_in_log"]:
                    self.log.warning("Failed action {%s}", details)
            elif status in REFUSED:
                refused += 1
                self._give_up(event, f"Could not index event to Elasticsearch. {details}")
            else:
                again.append((action, event))
        if refused and self.context.dead_letters:
            self.log.warning("Events could not be indexed and routing to DLQ, count: %d", refused)
        return again

    def _bulk(self, actions: list[Action]) -> dict[str, Any]:
        """The answer to one call, which is repeated until there is one."""
        lines = [f"{to_json({self.settings['action']: action})}\n{event.to_json()}\n" for action, event in actions]
        body = gzip.compress("".join(lines).encode())
        for interval in self._intervals():
            host = self._living_host()
            try:
                answer: dict[str, Any] = json.loads(self._call("POST", host + BULK, body))
                return answer
            except BadResponseError as error:
                if error.status == TOO_LARGE:
                    self.log.warning("Bulk request rejected: `413 Payload Too Large`")
                    item = {self.settings["action"]: {"status": TOO_LARGE, "error": {"type": "payload_too_large"}}}
                    return {"errors": True, "items": [item] * len(actions)}
                level = logging.DEBUG if error.status == TOO_MANY else logging.ERROR
                self.log.log(level, "Encountered a retryable error (will retry with exponential backoff): %s", error)
            except urllib3.exceptions.HTTPError as error:
                self.log.error(
                    "Attempted to send a bulk request but Elasticsearch appears to be unreachable or down: %s", error
                )
                self.living.remove(host)
                self.dead.append(host)
            except ValueError as error:
                self.log.error(
                    "An unknown error occurred sending a bulk request to Elasticsearch (will retry indefinitely): %s",
                    error,
                )
            self._pause(interval)
        raise AssertionError("intervals never end")

    def _living_host(self) -> str:
        while True:
            if time.monotonic() >= self.next_check:
                self._check_dead_hosts()
            if self.living:
                self.living.append(self.living.pop(0))
                return self.living[-1]
            self.log.error(
                "Attempted to send a bulk request but there are no living connections in the pool"
                " (perhaps Elasticsearch is unreachable or down?)"
            )
            self._pause(RESURRECT_DELAY)

    def _check_dead_hosts(self, *, registering: bool = False) -> None:
        for host in list(self.dead):
            try:
                self._check(host, registering=registering)
            except (BadResponseError, urllib3.exceptions.HTTPError) as error:
                self.log.warning("Attempted to resurrect connection to dead ES instance, but got an error: %s", error)
        self.next_check = time.monotonic() + RESURRECT_DELAY

    def _check(self, host: str, *, registering: bool) -> None:
        unhealthy = None
        try:
            self._call("HEAD", f"{host}/")
        except BadResponseError as error:
            self.log.warning("Health check failed: %s", error)
            if not registering:
                raise
            unhealthy = error
        try:
            self._call("GET", f"{host}/")
        except BadResponseError as error:
            if registering and error.status in LOCKED_OUT:
                raise ConfigurationError(
                    f"Could not read Elasticsearch. Please check the {LOCKED_OUT[error.status]}"
                ) from error
            raise
        if unhealthy:
            raise unhealthy
        if not registering:
            self.log.warning("Restored connection to ES instance %s", host)
        if not json.loads(self._call("GET", f"{host}/_license")).get("license"):
            self.log.error("Could not connect to a compatible version of Elasticsearch")
            return
        self.living.append(host)
        self.dead.remove(host)
        if not self.connected:
            self._call("GET", f"{host}/")  # Logstash asks once more, for the cluster's UUID
            self.connected = True

    def _call(self, method: str, url: str, body: bytes | None = None) -> bytes:
        headers = {**self.http.headers, "content-encoding": "gzip"} if body else self.http.headers
        response = self.http.request(method, url, body=body, headers=headers)
        if not 200 <= response.status < 300:
            raise BadResponseError(response.status, url)
        return response.data

    def _give_up(self, event: Event, reason: str) -> None:
        self.dead_letter(event, reason)
        if not self.context.dead_letters:
            self.log.warning("%s", reason)

    def _described(self, action: dict[str, Any], event: Event) -> str:
        parameters = ", ".join(f"{key}: {inspect(value)}" for key, value in action.items())
        return f'["{self.settings["action"]}", {{{parameters}}}, {inspect(event.data)}]'

    def _intervals(self) -> Iterator[float]:
        interval = self.settings["retry_initial_interval"]
        while True:
            yield interval
            interval = min(interval * 2, self.settings["retry_max_interval"])

    def _pause(self, seconds: float, *, abort: bool = True) -> None:
        """Wait before another attempt; at a stop the batch stays in the queue."""
        if self.context.stopping.wait(seconds) and abort:
            raise AbortedBatch


PLUGIN = Elasticsearch
