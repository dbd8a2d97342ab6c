# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of a week with a million events, and how much of its time the cluster's searches take.

    make demo && python3 -m benchmarks.report

Uses the Elasticsearch of the local landscape. What it makes there it removes.
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import yaml
from elasticsearch import Elasticsearch, helpers

from sandbox.local import AWS, ELASTICSEARCH

from .landscape import DAY, Cluster, Json, cluster, events, seconds

EVENTS, DAYS, ROUNDS = 1_000_000, 7, 3  # the best of the rounds counts
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "roles" / "report" / "files" / "report.py"
PANELS = ROOT / "templates" / "dashboards" / "events.yml"


def documents() -> Iterator[Json]:
    """A week's, as many each day."""
    for number, event in enumerate(islice(events(boto3.client("s3", **AWS)), EVENTS)):
        moment = DAY + timedelta(days=DAYS * number / EVENTS)
        yield {
            "_index": f"simple-analytics-events-{moment:%Y.%m.%d}",
            "_id": event["event"]["id"],
            "_source": {**event, "@timestamp": moment.isoformat()},
        }


@contextmanager
def week(official: Elasticsearch) -> Iterator[None]:
    indices = [f"simple-analytics-events-{DAY + timedelta(days=number):%Y.%m.%d}" for number in range(DAYS)]
    try:
        for ok, result in helpers.parallel_bulk(official, documents(), chunk_size=2000):
            if not ok:
                raise SystemExit(f"Not indexed: {result}")
        official.indices.refresh(index=indices)
        yield
    finally:
        official.indices.delete(index=indices, ignore_unavailable=True)


def make(found: Cluster, panels: Path, bucket: str, last: str) -> None:
    """As the role's unit does."""
    arguments = {
        **{"panels": panels, "template": PROGRAM.with_name("report.html.j2"), "name": "benchmark"},
        **{"url": ELASTICSEARCH, "authority": found.authority, "user": "elastic", "folder": panels.parent},
        **{"bucket": bucket, "region": AWS["region_name"], "endpoint": AWS["endpoint_url"], "last": last},
    }
    options = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    keys = {"AWS_ACCESS_KEY_ID": AWS["aws_access_key_id"], "AWS_SECRET_ACCESS_KEY": AWS["aws_secret_access_key"]}
    command = [sys.executable, str(PROGRAM), *options, "week"]
    subprocess.run(command, input=found.password, text=True, check=True, capture_output=True, env=keys)


def forget(found: Cluster) -> None:
    """A cluster that was asked the same before answers at once."""
    found.client.request("POST", "/simple-analytics-events/_cache/clear")


def main() -> None:
    program, dashboard = runpy.run_path(str(PROGRAM)), yaml.safe_load(PANELS.read_text())
    last = (DAY + timedelta(days=DAYS - 1)).date()
    span = program["Span"](program["PERIODS"]["week"], last, datetime.now(UTC))
    s3, bucket = boto3.client("s3", **AWS), "benchmark-report"
    with cluster() as found, TemporaryDirectory() as folder, week(found.official):
        panels = Path(folder) / "panels.json"
        panels.write_text(json.dumps(dashboard))
        index = program["Index"]([ELASTICSEARCH], str(found.authority), "elastic", found.password)
        s3.create_bucket(Bucket=bucket)
        try:
            counted = max(answer["doc_count"] for answer in index.answers(dashboard["panels"], span))
            searches, pages = [], []
            for _ in range(ROUNDS):
                forget(found)
                searches.append(seconds(lambda: index.answers(dashboard["panels"], span)))
                forget(found)
                pages.append(seconds(lambda: make(found, panels, bucket, last.isoformat())))
            size = next(Path(folder).glob("*.html")).stat().st_size
        finally:
            for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=each["Key"])
            s3.delete_bucket(Bucket=bucket)
    print(f"a page of {counted} events, {size} bytes: {min(pages):.1f} s, of which its search {min(searches):.1f} s")


if __name__ == "__main__":
    main()
