# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw objects that are broken, empty, or gone before they are read: capture goes on, and the ledger tells."""

from __future__ import annotations

import gzip
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .conftest import Landscape, grown

HEADER = "#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query x-edge-request-id\n"
LINES = 1000


def lines(path: str, query: str = "-") -> str:
    return HEADER + "".join(
        f"2024-05-01\t12:00:00\t192.0.2.1\tGET\t{path}\t{query}\t{uuid.uuid4()}\n" for _ in range(LINES)
    )


class Logs:
    """The bucket of raw objects. What a test delivers is gone after it."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape = landscape
        self._s3, self._bucket = landscape.s3, landscape.outputs["LogsBucketName"]
        self._prefix = landscape.outputs["LogsPrefix"]
        self.delivered: list[str] = []

    def deliver(self, content: bytes) -> str:
        key = f"{self._prefix}E2EXAMPLE.2024-05-01-12.{uuid.uuid4().hex[:8]}.gz"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        self.delivered.append(key)
        return key

    def await_move(self, key: str, seconds: int = 60) -> None:
        waiter = self._s3.get_waiter("object_exists")
        waiter.wait(Bucket=self._bucket, Key=f"Processed/{key}", WaiterConfig={"Delay": 1, "MaxAttempts": seconds})

    def delete(self, key: str) -> None:
        self._landscape.forget()
        for place in (key, f"Processed/{key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=place)


@pytest.fixture
def logs(landscape: Landscape) -> Iterator[Logs]:
    logs = Logs(landscape)
    yield logs
    for key in logs.delivered:
        logs.delete(key)


@contextmanager
def stopped(host: str, unit: str) -> Iterator[None]:
    subprocess.run(["podman", "exec", host, "systemctl", "stop", unit], check=True)
    yield
    subprocess.run(["podman", "exec", host, "systemctl", "start", unit], check=True)


def said_of(key: str) -> str:
    command = ["podman", "exec", "capture-1", "grep", "--fixed-strings", key, "/var/log/logstash/logstash-plain.log"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_corrupt_object_is_named_with_what_was_lost_in_it(landscape: Landscape, logs: Logs) -> None:
    whole = gzip.compress(lines("/pixel.gif", "event=view").encode())
    key = logs.deliver(whole[: len(whole) // 50])
    logs.await_move(key)
    run, ledger = landscape.account(event_ledger_wait_timeout=10)
    assert run.returncode != 0
    assert ledger["unreadable"] == [f"{landscape.outputs['LogsBucketName']}/{key}"]
    assert {lost["key"] for lost in ledger["lost"]} == {key}
    assert key in run.stdout


def test_empty_objects_hold_nothing_up(landscape: Landscape, logs: Logs) -> None:
    before = landscape.audit()
    logs.deliver(b"")
    logs.deliver(gzip.compress(b""))
    header = logs.deliver(gzip.compress(HEADER.encode()))
    logs.await_move(header)
    after = landscape.audit()
    assert grown(before, after) == dict.fromkeys(before["totals"], 0)
    # Logstash passes over an object of no bytes, which stays where it is.
    assert after["waiting"] == before["waiting"] + 1


def test_an_object_deleted_before_it_is_read_holds_nothing_up(landscape: Landscape, logs: Logs) -> None:
    with stopped("capture-1", "logstash"):
        first, *others, last = [logs.deliver(gzip.compress(lines("/favicon.ico").encode())) for _ in range(30)]
        before = landscape.audit()  # takes longer than the three seconds for which the input leaves new objects alone
    logs.await_move(first)
    logs.delete(last)
    logs.await_move(others[-1])
    found = grown(before, landscape.audit())
    assert found == {**dict.fromkeys(found, 0), "delivered": -LINES, "filtered": -LINES}
    assert f"Unable to download remote file {last}" in said_of(last)
