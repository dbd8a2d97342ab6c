# SPDX-License-Identifier: GPL-3.0-or-later
"""What benchmarks take of the local landscape: its AWS, its Elasticsearch, and events of its archive."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import boto3
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from elasticsearch import Elasticsearch

from sandbox.local import AWS, ELASTICSEARCH, NAME

DAY = datetime(2020, 1, 1, tzinfo=UTC)
DIFFERENT = 2000  # events; more of them are these under other ids
Json = dict[str, Any]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def archived(s3: Any, bucket: str) -> Iterator[Json]:  # noqa: ANN401 - boto3's clients have no types
    """Events of an archive."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
        for found in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            yield from map(json.loads, gzip.decompress(body).splitlines())


def events(s3: Any) -> Iterator[Json]:  # noqa: ANN401 - as above
    """As many as are wanted, made of those that the landscape has."""
    clean = next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith(f"{NAME}-events"))
    return map(as_new, cycle(list(islice(archived(s3, clean), DIFFERENT))))


def as_new(event: Json) -> Json:
    """The same under another id, on the day of the benchmark, as if nobody had replayed it."""
    event.pop("labels", None)
    return {**event, "@timestamp": DAY.isoformat(), "event": {**event["event"], "id": uuid.uuid4().hex}}


class Cluster(NamedTuple):
    """What it takes to speak to Elasticsearch: our client, the official one, and what both know."""

    client: Client
    official: Elasticsearch
    authority: Path
    password: str  # of `elastic`


@contextmanager
def cluster() -> Iterator[Cluster]:
    ssm = boto3.client("ssm", **AWS)

    def secret(key: str) -> str:
        value: str = ssm.get_parameter(Name=f"/{NAME}/{key}", WithDecryption=True)["Parameter"]["Value"]
        return value

    with TemporaryDirectory() as folder:
        authority = Path(folder) / "ca.pem"
        authority.write_text(secret("elasticsearch_ca_certificate"))
        password = secret("elasticsearch_elastic_password")
        params = {"url": [ELASTICSEARCH], "username": "elastic", "password": password, "ca_path": str(authority)}
        official = Elasticsearch(ELASTICSEARCH, basic_auth=("elastic", password), ca_certs=str(authority))
        yield Cluster(Client.from_params(params), official, authority, password)


def day_index(client: Client) -> Json:
    """Settings and mappings of a day's index, as the events' template makes them."""
    made = client.request("POST", f"/_index_template/_simulate_index/simple-analytics-events-{DAY:%Y.%m.%d}")
    return {part: made["template"][part] for part in ("settings", "mappings")}
