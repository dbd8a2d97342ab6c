# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes events as Logstash does and searches them as readers do, until PATH.stop is there; says what it has seen.

usage: load.py CA PATH URL...
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from elastic_transport import Transport, TransportError
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config

INDEX, ALIAS = "simple-analytics-events-2026.01.05", "simple-analytics-events"
BATCH = 10


class User:
    def __init__(self, name: str, password: str, authority: str, urls: list[str]) -> None:
        nodes = [url_to_node_config(url).replace(ca_certs=authority, request_timeout=20) for url in urls]
        # A node that closes is passed over for another; an answer that refuses counts as one.
        self._transport = Transport(nodes, max_retries=2 * len(urls), retry_on_status=())
        self._authorization = basic_auth_to_header((name, password))

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        kind = "application/x-ndjson" if isinstance(body, list) else "application/json"
        headers = {"accept": "application/json", "authorization": self._authorization, "content-type": kind}
        answer = self._transport.perform_request(method, path, body=body, headers=headers)
        return answer.meta.status, answer.body


def written(writer: User, ids: list[str]) -> bool:
    """Whether all of these are acknowledged."""
    lines: list[Any] = []
    for each in ids:
        place = {"_index": INDEX, "_id": each, "version": 1767571200000, "version_type": "external_gte"}
        lines += [{"index": place}, {"@timestamp": "2026-01-05T00:00:00Z", "event": {"id": each}}]
    try:
        status, answer = writer.ask("POST", "/_bulk", lines)
    except TransportError:
        return False
    return status == 200 and not answer["errors"]


def search(reader: User, over: Path, seen: dict[str, Any]) -> None:
    while not over.exists():
        try:
            status, answer = reader.ask("POST", f"/{ALIAS}/_search", {"size": 0, "track_total_hits": True})
            if status != 200 or answer["_shards"]["failed"]:
                seen["failed"].append([status, answer])
        except TransportError as error:
            seen["failed"].append(str(error))
        seen["searches"] += 1
        time.sleep(0.05)


def main(authority: str, path: str, *urls: str) -> None:
    writer = User("logstash_writer", os.environ["WRITER"], authority, list(urls))
    reader = User("reader", os.environ["READER"], authority, list(urls))
    over, seen = Path(f"{path}.stop"), {"searches": 0, "failed": [], "written": 0}
    over.unlink(missing_ok=True)
    searcher: Thread | None = None
    for number in count():
        ids = [f"{number}-{each}" for each in range(BATCH)]
        while not written(writer, ids):
            time.sleep(0.2)
        seen["written"] += BATCH
        if searcher is None:  # there is an index now
            searcher = Thread(target=search, args=(reader, over, seen))
            searcher.start()
        if over.exists():
            break
        time.sleep(0.02)
    searcher.join()
    time.sleep(2)  # a refresh
    seen["found"] = reader.ask("POST", f"/{ALIAS}/_count")[1]["count"]
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
