# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS refuses a rewind, which is called as its users call it: for a while, for want of rights, or for good."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.integration.conftest import PROGRAMS, ROOT, Emulator

APPLICATION, STREAM = "indexer", "events"
SHARD = "shardId-000000000000"
MODULE = "simple_analytics.pipeline.kinesis_consumer_rewind"
IN_JSON = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
# By operation, what it says when it is asked too often.
THROTTLED = {
    "DescribeStreamSummary": "LimitExceededException",
    "ListShards": "LimitExceededException",
    "GetShardIterator": "ProvisionedThroughputExceededException",
    "GetRecords": "ProvisionedThroughputExceededException",
    "Scan": "ProvisionedThroughputExceededException",
    "UpdateItem": "ThrottlingException",
}


@dataclass
class Gate:
    """Stands before the emulated AWS, and answers the first calls of some operations itself, with an error."""

    behind: str
    refused: dict[str, str]
    times: int
    calls: Counter[str] = field(default_factory=Counter)

    def answer(self, operation: str, request: Request) -> tuple[int, bytes]:
        self.calls[operation] += 1
        if operation in self.refused and self.calls[operation] <= self.times:
            return 400, json.dumps({"__type": self.refused[operation], "message": "Not now."}).encode()
        with urlopen(request) as answer:
            return answer.status, answer.read()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, gate: Gate, *arguments: Any) -> None:  # noqa: ANN401 - as the server gives them
        self._gate = gate
        super().__init__(*arguments)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self._gate.behind + self.path, data=body, headers=dict(self.headers), method="POST")
        status, answer = self._gate.answer(self.headers["X-Amz-Target"].rpartition(".")[2], request)
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """The module's own words are enough."""


@contextmanager
def refusing(account: Emulator, refused: dict[str, str], times: int) -> Iterator[tuple[Emulator, Gate]]:
    gate = Gate(account.url, refused, times)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, gate)) as server:
        Thread(target=server.serve_forever).start()
        yield replace(account, url=f"http://127.0.0.1:{server.server_port}"), gate
        server.shutdown()


@pytest.fixture
def account(ministack: Emulator, request: pytest.FixtureRequest) -> Emulator:
    """An account with a stream of one shard, and two consumers at its tip: of this stream, and of another one."""
    number = list(request.session.items).index(request.node)
    account = replace(ministack, account=f"{770_000_000_000 + number}")
    kinesis, dynamodb = account.client("kinesis"), account.client("dynamodb")
    kinesis.create_stream(StreamName=STREAM, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=STREAM)
    kinesis.put_record(StreamName=STREAM, Data=b"{}", PartitionKey="a")
    for application, shard in ((APPLICATION, SHARD), ("stranger", "shardId-000000000009")):
        dynamodb.create_table(
            TableName=application,
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        lease = {"leaseKey": {"S": shard}, "checkpoint": {"S": "LATEST"}, "leaseCounter": {"N": "7"}}
        dynamodb.put_item(TableName=application, Item={**lease, "checkpointSubSequenceNumber": {"N": "0"}})
    return account


def checkpoint(account: Emulator) -> str:
    lease = account.client("dynamodb").get_item(TableName=APPLICATION, Key={"leaseKey": {"S": SHARD}})["Item"]
    found: str = lease["checkpoint"]["S"]
    return found


Rewind = Callable[..., dict[str, Any]]


@pytest.fixture
def rewind(tmp_path: Path) -> Rewind:
    """Runs the module on this machine, and returns its answer."""

    def run(account: Emulator, **options: str) -> dict[str, Any]:
        rewinding = {"position": "at_timestamp", "timestamp": "1h", "manifest": str(tmp_path / "manifest")}
        arguments = json.dumps({"application": APPLICATION, "stream": STREAM, **rewinding, **options})
        done = subprocess.run(
            [PROGRAMS / "ansible", "localhost", "-m", MODULE, "-a", arguments],
            cwd=ROOT,
            env={**account.environment, **IN_JSON},
            capture_output=True,
            text=True,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
        return answer

    return run


def test_what_is_throttled_is_asked_again(account: Emulator, rewind: Rewind) -> None:
    with refusing(account, THROTTLED, times=2) as (throttled, gate):
        answer = rewind(throttled)
    assert (answer.get("msg"), answer.get("changed")) == (None, True)
    assert checkpoint(account) not in ("LATEST", "TRIM_HORIZON")
    assert {operation for operation in THROTTLED if gate.calls[operation] > 2} == set(THROTTLED)


@pytest.mark.parametrize("operation", THROTTLED)
def test_what_is_forbidden_is_named(operation: str, account: Emulator, rewind: Rewind) -> None:
    with refusing(account, {operation: "AccessDeniedException"}, times=100) as (forbidden, gate):
        answer = rewind(forbidden)
    assert answer["failed"] is True
    assert f": these credentials may not call {operation}." in answer["msg"]
    assert (checkpoint(account), gate.calls[operation]) == ("LATEST", 1)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"application": "indexr"}, "Failed to read the leases of 'indexr': there is no table 'indexr' in this"),
        ({"stream": "evnts"}, "there is no stream 'evnts' in this account and region."),
        ({"application": "stranger"}, "application 'stranger' reads another stream than 'events': see shardId-"),
    ],
)
def test_what_does_not_go_together_is_named(
    options: dict[str, str], sentence: str, account: Emulator, rewind: Rewind
) -> None:
    answer = rewind(account, **options)
    assert answer["failed"] is True
    assert sentence in answer["msg"]
    assert checkpoint(account) == "LATEST"


@pytest.mark.parametrize(
    "variables, sentence",
    [
        ({"consumer": "indexer", "position": "trim_horizon", "shard": SHARD}, "No such variable here: shard (shards?)"),
        ({"consumer": "indexr", "timestamp": "2h"}, "Said were consumer 'indexr'"),
        ({"consumer": "indexer", "application": "theirs", "timestamp": "2h"}, "Said were consumer 'indexer'"),
        ({"consumer": "indexer"}, "and one of -e timestamp=2h"),
    ],
)
def test_the_playbook_refuses_what_it_was_not_asked_well(variables: dict[str, str], sentence: str) -> None:
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", "playbooks/rewind.yml", "-e", json.dumps(variables)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert sentence in " ".join(done.stdout.split())
