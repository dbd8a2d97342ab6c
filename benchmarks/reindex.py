# SPDX-License-Identifier: GPL-3.0-or-later
"""A reindex with all its checks against the bare call.

    make demo && python3 -m benchmarks.reindex

Uses the Elasticsearch of the local landscape. What it makes there it removes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import boto3
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import Cluster
from ansible_collections.simple_analytics.pipeline.plugins.modules import elasticsearch_reindex
from elasticsearch import Elasticsearch, helpers

from sandbox.local import AWS, ELASTICSEARCH, NAME

DOCUMENTS = 300_000
ROUNDS = 3  # the best of each counts
LOOK_SECONDS = 0.5
DAY = datetime(2020, 1, 1, tzinfo=UTC)
Json = dict[str, Any]


def documents(index: str) -> Iterator[Json]:
    """Events as the indexer writes them."""
    for number in range(DOCUMENTS):
        moment = DAY + timedelta(seconds=number % 86400)
        source = {
            "@timestamp": moment.isoformat(),
            "event": {"id": f"{number:032x}", "action": "page_view", "dataset": "simple_analytics.hit"},
            "url": {"domain": "www.example.org", "path": f"/articles/{number % 997}"},
            "source": {"ip": f"192.0.{number % 256}.0"},
            "user_agent": {"name": "Firefox", "os": {"name": "Linux"}},
            "cdn": {"status": 200, "time_taken": 0.001},
            "payload": {"event": "page_view", "width": number % 2000},
        }
        yield {
            "_index": index,
            "_id": source["event"]["id"],  # type: ignore[index]
            "_version": 1_577_836_800_000 + number,
            "_version_type": "external_gte",
            "_source": source,
        }


@contextmanager
def source(client: Client, official: Elasticsearch) -> Iterator[tuple[str, Json]]:
    """A day's index with its settings and mappings as the events' template makes them."""
    made = client.request("POST", f"/_index_template/_simulate_index/simple-analytics-events-{DAY:%Y.%m.%d}")
    name = f"benchmark-{uuid.uuid4().hex[:8]}-{DAY:%Y.%m.%d}"
    client.request("PUT", f"/{name}", {part: made["template"][part] for part in ("settings", "mappings")})
    try:
        for ok, result in helpers.parallel_bulk(official, documents(name), chunk_size=2000):
            if not ok:
                raise SystemExit(f"Not indexed: {result}")
        client.request("POST", f"/{name}/_refresh")
        yield name, made["template"]["mappings"]
    finally:
        # By their names, since the cluster deletes nothing by a pattern.
        left = client.request("GET", f"/{name}*?expand_wildcards=all")
        client.request("DELETE", f"/{','.join(left)}")


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare(client: Client, name: str) -> None:
    """The call alone, into an index that is ready."""
    target = f"{name}-bare"
    (made,) = client.request("GET", f"/{name}").values()
    kept = ("number_of_shards", "number_of_replicas", "mapping", "refresh_interval")
    settings = {key: value for key, value in made["settings"]["index"].items() if key in kept}
    client.request("PUT", f"/{target}", {"settings": settings, "mappings": made["mappings"]})
    body = {"source": {"index": name}, "dest": {"index": target, "version_type": "external"}}
    task = client.request("POST", "/_reindex?slices=auto&wait_for_completion=false&refresh=true", body)["task"]
    while not (found := client.request("GET", f"/_tasks/{task}"))["completed"]:
        time.sleep(LOOK_SECONDS)
    if found["response"]["created"] != DOCUMENTS:
        raise SystemExit(f"The bare call made {found['response']}")
    client.request("DELETE", f"/{target}")


def ours(client: Client, name: str, mappings: Json) -> None:
    """The module's work: target, copy, catch-up, counts and checksum, switch."""
    params = {
        **dict.fromkeys(("first", "last", "query", "script")),
        **{"source": [f"{name}*"], "slices": "auto", "rate": 0, "parallel": 1, "keep_source": False},
        "mappings": mappings,
        # A day whose index is as asked is left alone, so each round asks for something else.
        "settings": {"index.priority": str(time.monotonic_ns() % 1000)},
    }
    module = SimpleNamespace(params=params, check_mode=False)
    while True:
        result, broken = elasticsearch_reindex.run(module, Cluster(client, "auto", -1))
        if broken:
            raise SystemExit(f"Broken: {broken}")
        if result["done"]:
            return
        time.sleep(LOOK_SECONDS)


def main() -> None:
    ssm = boto3.client("ssm", **AWS)

    def secret(key: str) -> str:
        value: str = ssm.get_parameter(Name=f"/{NAME}/{key}", WithDecryption=True)["Parameter"]["Value"]
        return value

    with TemporaryDirectory() as folder:
        authority = Path(folder) / "ca.pem"
        authority.write_text(secret("elasticsearch_ca_certificate"))
        login = ("elastic", secret("elasticsearch_elastic_password"))
        params = {"url": [ELASTICSEARCH], "username": login[0], "password": login[1], "ca_path": str(authority)}
        client = Client.from_params(params)
        official = Elasticsearch(ELASTICSEARCH, basic_auth=login, ca_certs=str(authority))
        plain, whole = [], []
        with source(client, official) as (name, mappings):
            for _ in range(ROUNDS):
                plain.append(seconds(lambda: bare(client, name)))
                whole.append(seconds(lambda: ours(client, name, mappings)))
        print(f"{DOCUMENTS} documents")
        share = min(plain) / min(whole)
        print(f"bare _reindex {min(plain):.1f} s, the module {min(whole):.1f} s: {share:.2f} of its speed")


if __name__ == "__main__":
    main()
