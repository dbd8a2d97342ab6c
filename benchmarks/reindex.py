# SPDX-License-Identifier: GPL-3.0-or-later
"""A reindex with all its checks against the bare call.

    make demo && python3 -m benchmarks.reindex

Uses the Elasticsearch of the local landscape. What it makes there it removes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace

import boto3
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import Cluster
from ansible_collections.simple_analytics.pipeline.plugins.modules import elasticsearch_reindex
from elasticsearch import Elasticsearch, helpers

from sandbox.local import AWS

from .landscape import DAY, Json, cluster, day_index, events, seconds

DOCUMENTS = 300_000
ROUNDS = 3  # the best of each counts
LOOK_SECONDS = 0.5


def documents(index: str) -> Iterator[Json]:
    """Events as the indexer writes them."""
    for number, event in enumerate(islice(events(boto3.client("s3", **AWS)), DOCUMENTS)):
        yield {
            "_index": index,
            "_id": event["event"]["id"],
            "_version": 1_577_836_800_000 + number,
            "_version_type": "external_gte",
            "_source": event,
        }


@contextmanager
def source(client: Client, official: Elasticsearch) -> Iterator[tuple[str, Json]]:
    """A day's index with its settings and mappings as the events' template makes them."""
    made, name = day_index(client), f"benchmark-{uuid.uuid4().hex[:8]}-{DAY:%Y.%m.%d}"
    client.request("PUT", f"/{name}", made)
    try:
        for ok, result in helpers.parallel_bulk(official, documents(name), chunk_size=2000):
            if not ok:
                raise SystemExit(f"Not indexed: {result}")
        client.request("POST", f"/{name}/_refresh")
        yield name, made["mappings"]
    finally:
        # By their names, since the cluster deletes nothing by a pattern.
        left = client.request("GET", f"/{name}*?expand_wildcards=all")
        client.request("DELETE", f"/{','.join(left)}")


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
    plain, whole = [], []
    with cluster() as (client, official, *_), source(client, official) as (name, mappings):
        for _ in range(ROUNDS):
            plain.append(seconds(lambda: bare(client, name)))
            whole.append(seconds(lambda: ours(client, name, mappings)))
    print(f"{DOCUMENTS} documents")
    share = min(plain) / min(whole)
    print(f"bare _reindex {min(plain):.1f} s, the module {min(whole):.1f} s: {share:.2f} of its speed")


if __name__ == "__main__":
    main()
