# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay against the plain ways of doing the same.

    make demo && python3 -m benchmarks.replay

Uses the emulated AWS and the Elasticsearch of the local landscape, and the events that its archive holds. What it makes
there it removes.
"""

from __future__ import annotations

import gc
import gzip
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from multiprocessing import get_context
from typing import Any

import boto3
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Selection
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger_stores import Bucket
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._pace import Pace
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay import (
    READERS,
    Progress,
    Replay,
    plan,
    question,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay_targets import (
    BATCH,
    UNCHECKED,
    IndexTarget,
    NoTarget,
    StreamTarget,
    Target,
)
from botocore.config import Config
from elasticsearch import Elasticsearch, helpers

from sandbox.local import AWS

from .landscape import DAY, archived, cluster, day_index, events, seconds

EVENTS, OBJECTS, LOOPED = 40000, 20, 2000
ROUNDS = 3  # the best of each counts
SELECTION = Selection(DAY, DAY + timedelta(days=1), {})


@contextmanager
def archive(s3: Any) -> Iterator[str]:  # noqa: ANN401 - boto3's clients have no types
    """A bucket with an hour of events in some objects, made of those that the landscape has."""
    made, bucket = events(s3), f"benchmark-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    keys = [f"events/dt={DAY:%Y-%m-%d}/hour=00/{number}.json.gz" for number in range(OBJECTS)]
    try:
        for key in keys:
            lines = (json.dumps(event) + "\n" for event in islice(made, EVENTS // OBJECTS))
            s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress("".join(lines).encode()))
        yield bucket
    finally:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
        s3.delete_bucket(Bucket=bucket)


@contextmanager
def stream(kinesis: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    name = f"benchmark-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=4)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    try:
        yield name
    finally:
        kinesis.delete_stream(StreamName=name)


@contextmanager
def index(client: Client) -> Iterator[str]:
    """An index as the events' template makes them, but outside of the events' alias."""
    prefix = f"benchmark-{uuid.uuid4().hex[:8]}"
    name = f"{prefix}-{DAY:%Y.%m.%d}"
    client.request("PUT", f"/{name}", day_index(client))
    try:
        yield prefix
    finally:
        client.request("DELETE", f"/{name}")


def rate(work: Callable[[], int]) -> float:
    """Events a second."""
    done: list[int] = []
    spent = seconds(lambda: done.append(work()))
    return done[0] / spent


def replay(s3: Any, bucket: str, target: Target) -> int:  # noqa: ANN401 - as above
    """The module's work."""
    reader = Bucket(s3, bucket)
    progress = Progress(question(SELECTION, "stream"), plan(reader, SELECTION))
    Replay("benchmark", SELECTION, reader, target, Pace(0)).work(progress)
    if not progress.done or progress.events != EVENTS or progress.refused:
        raise SystemExit(f"Not all was sent: {progress.summary}, {progress.refused} refused")
    return EVENTS


def loop(s3: Any, kinesis: Any, bucket: str, name: str) -> int:  # noqa: ANN401 - as above
    """What a first script does: object by object, event by event."""
    for event in islice(archived(s3, bucket), LOOPED):
        kinesis.put_record(StreamName=name, Data=json.dumps(event).encode(), PartitionKey=event["event"]["id"])
    return LOOPED


def rate_of_ready(s3: Any, kinesis: Any, bucket: str, name: str) -> float:  # noqa: ANN401 - as above
    """The same calls, as many at once as a replay has readers, with all that goes into them prepared."""
    found = (SELECTION.event(json.dumps(event), "benchmark") for event in archived(s3, bucket))
    entries = [{"Data": event.text, "PartitionKey": event.id} for event in found if event]
    batches = [entries[start : start + BATCH] for start in range(0, len(entries), BATCH)]

    def put() -> int:
        with ThreadPoolExecutor(READERS) as pool:
            answers = pool.map(lambda batch: kinesis.put_records(StreamName=name, Records=batch), batches)
            if sum(answer["FailedRecordCount"] for answer in answers):
                raise SystemExit("The emulator refused records.")
        return len(entries)

    return rate(put)


def read_on(bucket: str) -> None:
    """What a replay does before it sends, again and again."""
    s3 = boto3.client("s3", **AWS)
    while True:
        replay(s3, bucket, NoTarget())


@contextmanager
def reading(bucket: str) -> Iterator[None]:
    process = get_context("fork").Process(target=read_on, args=(bucket,))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def bare_bulk(client: Elasticsearch, s3: Any, bucket: str, prefix: str) -> int:  # noqa: ANN401 - as above
    """The official client's own loader over the same objects."""
    actions = (
        {
            "_index": f"{prefix}-{DAY:%Y.%m.%d}",
            "_id": event["event"]["id"],
            "_version_type": "external_gte",
            "_version": 1,
            "_source": event,
        }
        for event in archived(s3, bucket)
    )
    done = helpers.parallel_bulk(client, actions, thread_count=READERS, chunk_size=BATCH)
    return sum(ok for ok, _ in done)


def main() -> None:
    s3, kinesis = boto3.client("s3", **AWS), boto3.client("kinesis", **AWS, config=Config(**UNCHECKED))

    with cluster() as (client, official, *_), archive(s3) as bucket:
        gc.freeze()  # as the module does

        with stream(kinesis) as name:
            looped = rate(lambda: loop(s3, kinesis, bucket, name))
        ready: list[float] = []
        beside: list[float] = []
        streamed: list[float] = []
        for _ in range(ROUNDS):
            with stream(kinesis) as name:
                ready.append(rate_of_ready(s3, kinesis, bucket, name))
            with stream(kinesis) as name, reading(bucket):
                beside.append(rate_of_ready(s3, kinesis, bucket, name))
            with stream(kinesis) as name:
                streamed.append(rate(lambda: replay(s3, bucket, StreamTarget(kinesis, name))))
        best = max(streamed)
        print(f"{EVENTS} events in {OBJECTS} objects")
        print(f"into the stream: {best:.0f} a second, loop {looped:.0f}: {best / looped:.1f} times as fast")
        for what, rates in (("alone", ready), ("beside a process that reads", beside)):
            print(f"  bare PutRecords {what} {max(rates):.0f} a second: {best / max(rates):.2f} of it")

        bare: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            with index(client) as prefix:
                bare.append(rate(lambda: bare_bulk(official, s3, bucket, prefix)))
            with index(client) as prefix:
                ours.append(rate(lambda: replay(s3, bucket, IndexTarget(client, prefix))))
        share = max(ours) / max(bare)
        print(f"into the index: {max(ours):.0f} a second, official client {max(bare):.0f}: {share:.2f} of it")


if __name__ == "__main__":
    main()
