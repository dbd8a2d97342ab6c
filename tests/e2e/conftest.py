# SPDX-License-Identifier: GPL-3.0-or-later
"""The running local landscape, as `make demo` leaves it."""

from __future__ import annotations

import gzip
import json
import os
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

import tests.unit.conftest  # noqa: F401 - makes the collection importable
from sandbox.local import AWS, ELASTICSEARCH, NAME

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds
Json = dict[str, Any]


@dataclass
class Landscape:
    folder: Path

    def __post_init__(self) -> None:
        self._last: Json | None = None
        self.s3, self.kinesis = boto3.client("s3", **AWS), boto3.client("kinesis", **AWS)
        stacks = boto3.client("cloudformation", **AWS).describe_stacks()["Stacks"]
        self.outputs = {
            output["OutputKey"]: output["OutputValue"]
            for stack in stacks
            if stack["StackName"].startswith(f"{NAME}-")
            for output in stack.get("Outputs", [])
        }

    def playbook(self, name: str, *arguments: str, folder: Path = ROOT) -> str:
        """What a playbook says that an operator starts in this folder."""
        command = ["ansible-playbook", f"playbooks/{name}.yml", *arguments]
        environment = {**os.environ, "PWD": str(folder)}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def account(self, **variables: object) -> tuple[subprocess.CompletedProcess[str], Json]:
        """The ledger, however it ends; lines of log files of any age count."""
        report = self.folder / "ledger.json"
        variables |= {"event_ledger_open_hours": 0, "event_ledger_retention_days": 40000}
        variables |= {"event_ledger_report": str(report)}
        command = ["ansible-playbook", "playbooks/audit.yml", "-e", json.dumps(variables)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return run, json.loads(report.read_text())

    def audit(self) -> Json:
        """The ledger, once it closes."""
        run, report = self.account()
        assert run.returncode == 0, run.stdout + run.stderr
        self._last = report
        return report

    def known(self) -> Json:
        """The ledger as it was when nothing had been sent after it."""
        return self._last or self.audit()

    def forget(self) -> None:
        """Something happened that changes the ledger."""
        self._last = None

    def traffic(self, *arguments: str) -> subprocess.Popen[str]:
        """Sends requests, says so line by line, and ends when all are delivered as log lines."""
        self.forget()
        command = [
            sys.executable,
            "-u",
            "-m",
            "sandbox.traffic",
            "--report",
            str(self.folder / "sent.json"),
            *arguments,
        ]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def sent(self, traffic: subprocess.Popen[str]) -> Json:
        said, _ = traffic.communicate()
        assert traffic.returncode == 0, said
        counts: Json = json.loads((self.folder / "sent.json").read_text())
        return counts

    def texts(self, bucket: str, prefix: str) -> Iterator[str]:
        """Whole objects, uncompressed."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                yield gzip.decompress(self.s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()).decode()

    def records(self) -> Iterator[str]:
        """What the stream holds."""
        stream = self.outputs["StreamName"]
        for shard in self.kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = self.kinesis.get_records(ShardIterator=iterator)
                yield from (record["Data"].decode() for record in answer["Records"])
                if not answer["Records"]:
                    break
                iterator = answer["NextShardIterator"]

    def secret(self, key: str) -> str:
        found = boto3.client("ssm", **AWS).get_parameter(Name=f"/{NAME}/{key}", WithDecryption=True)
        value: str = found["Parameter"]["Value"]
        return value

    def elasticsearch(
        self, user: str, path: str, method: str = "GET", body: Json | None = None, timeout: float = 60
    ) -> Json:
        """One call to the cluster."""
        login = b64encode(f"{user}:{self.secret(f'elasticsearch_{user}_password')}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        request = Request(ELASTICSEARCH + path, json.dumps(body).encode() if body else None, headers, method=method)
        authority = ssl.create_default_context(cadata=self.secret("elasticsearch_ca_certificate"))
        with urlopen(request, context=authority, timeout=timeout) as response:
            answer: Json = json.loads(response.read() or "{}")
            return answer

    def documents(self, size: int = 10000) -> Iterator[str]:
        """What readers find in the index, the newest first."""
        found = self.elasticsearch("reader", f"/simple-analytics-events/_search?size={size}&sort=@timestamp:desc")
        for hit in found["hits"]["hits"]:
            yield json.dumps(hit["_source"])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="let each bad day last for more than a minute")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Landscape:
    return Landscape(tmp_path_factory.mktemp("landscape"))


def until(wanted: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {wanted}"
        time.sleep(0.5)


def grown(before: Json, after: Json) -> dict[str, int]:
    return {term: after["totals"][term] - before["totals"][term] for term in after["totals"]}
