# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that talk to S3 and Elasticsearch do what a real Logstash was recorded doing (tests/vectors/outputs)."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import gzip
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from logstash_standin.config import ConfigurationError
from logstash_standin.dead_letters import DeadLetterQueue
from logstash_standin.event import Event, to_json
from logstash_standin.plugins.base import AbortedBatch, Input, Output

from .conftest import FakeS3, Stub, Workshop

VECTORS = Path(__file__).parents[3] / "vectors" / "outputs"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
MINUTE = re.compile(r"(?!2024-01-01T00)20\d\d-\d\d-\d\dT\d\d\.\d\d")
OF_THE_AGENT = ("Pipeline error", "Failed to execute action", "Uploading failed")


def named(part: str) -> list[Path]:
    return [path for path in sorted(VECTORS.iterdir()) if part in path.name]


def expected(vector: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((vector / "expected.json").read_text())
    return answer


def lines(path: Path) -> list[Any]:
    """JSON lines; the spelling of numbers counts."""
    if not path.exists():
        return []
    return [json.loads(line, parse_float=str) for line in path.read_text().splitlines() if line]


def seen(events: Iterable[Event]) -> list[Any]:
    return [json.loads(event.to_json(), parse_float=str) for event in events]


def assert_logged(vector: Path, records: list[logging.LogRecord]) -> None:
    """Every message of the real one, as far as its first detail, was logged at its level."""
    logged = {(record.levelname[:5].strip(), record.getMessage()) for record in records}
    for entry in expected(vector).get("log", []):
        level, text = entry.split(" ", 1)
        if not text.startswith(OF_THE_AGENT):
            start = re.split(r"[:{]", text)[0]
            assert any(level[:4] == name[:4] and start in message for name, message in logged), entry


def sown(s3: FakeS3, seeds: list[dict[str, Any]], seconds_ago: int) -> None:
    time = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(seconds=seconds_ago)
    for seed in seeds:
        text = seed.get("text", "")
        members = text if isinstance(text, list) else [text]
        if "generate" in seed:
            numbered = "".join(f"{number:04} {number * 7919**3 % 1000003}\n" for number in range(3000))
            body = gzip.compress(numbered.encode())[:-200]
        elif "base64" in seed:
            body = base64.b64decode(seed["base64"])
        elif seed.get("gzip"):
            body = b"".join(gzip.compress(member.encode()) for member in members)
            body = body[: len(body) - seed.get("cut", 0)]
        else:
            body = text.encode()
        s3.buckets["bucket"][seed["key"]] = {"Body": body, "LastModified": time}
        time += dt.timedelta(seconds=seed.get("wait", 0.02))


def read(workshop: Workshop, vector: Path) -> list[Event]:
    """The events of one run of the vector's input, with what its filter makes of their metadata."""
    pushed: list[Event] = []
    for plugin in workshop.plugins("input", (vector / "pipeline.conf").read_text()):
        assert isinstance(plugin, Input)
        plugin.register()
        plugin.run(pushed.extend, workshop.stop)
    for event in pushed:
        event.data["s3"] = event.metadata["s3"]
    return pushed


@pytest.mark.parametrize("vector", named("-s3-in-"), ids=lambda vector: vector.name)
def test_the_s3_input_reads_as_recorded(
    vector: Path, workshop: Workshop, s3: FakeS3, caplog: pytest.LogCaptureFixture
) -> None:
    sown(s3, json.loads((vector / "seed.json").read_text()), seconds_ago=60)
    told = expected(vector)
    if told.get("pipeline") == "did not start":
        with pytest.raises(Exception, match="The specified bucket does not exist"):
            read(workshop, vector)
        return
    events = read(workshop, vector)
    assert len(events) == told["events"]
    if "events_by_key" in told:
        assert Counter(event.metadata["s3"]["key"] for event in events) == told["events_by_key"]
        last = [event.data["message"] for event in events if event.metadata["s3"]["key"] == "1.gz"][-1]
        assert [last] == told["last_line_of_broken_object"]
    else:
        assert unstamped(seen(events)) == unstamped(lines(vector / "expected.jsonl"))
    assert objects(s3) == told["objects_after"]
    if "sincedb" in told:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", (workshop.directory / "sincedb").read_text())
    assert_logged(vector, caplog.records)
    if "events_of_second_run" in told:
        sown(s3, told["put_before_second_run"], seconds_ago=30)
        assert unstamped(seen(read(workshop, vector))) == unstamped(lines(vector / "expected-second-run.jsonl"))


def unstamped(events: list[Any]) -> list[Any]:
    return [event | {"@timestamp": "<any>"} for event in events]


def objects(s3: FakeS3) -> list[dict[str, Any]]:
    return [{"key": key, "size": len(item["Body"])} for key, item in sorted(s3.buckets["bucket"].items())]


def arrived(workshop: Workshop, vector: Path) -> list[Event]:
    """The events of the vector's standard input behind its filters."""
    text = (vector / "pipeline.conf").read_text()
    content = (vector / "input").read_bytes() if (vector / "input").exists() else b""
    [source] = workshop.plugins("input", text)
    codec = source.settings["codec"]
    events = [*codec.decode(content), *codec.flush()]
    for plugin in workshop.plugins("filter", text):
        events = plugin.filter(events)  # type: ignore[attr-defined]
    return events


@pytest.mark.parametrize("vector", named("-s3-out-"), ids=lambda vector: vector.name)
def test_the_s3_output_writes_as_recorded(
    vector: Path, workshop: Workshop, s3: FakeS3, caplog: pytest.LogCaptureFixture
) -> None:
    told = expected(vector)
    temporary = workshop.directory / "tmp"
    for name, content in leftovers(vector).items():
        path = temporary / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    [output] = workshop.plugins("output", (vector / "pipeline.conf").read_text())
    assert isinstance(output, Output)
    if told["objects"] == {"error": "NoSuchBucket"}:
        s3.buckets.clear()
        with pytest.raises(ConfigurationError, match="Logstash must have the privileges to write to root bucket"):
            output.register()
        return
    output.register()
    batch = 1 if "pipeline.batch.size: 1" in read_text(vector / "settings.yml") else 125
    events = arrived(workshop, vector)
    for start in range(0, len(events), batch):
        output.receive(events[start : start + batch])
    output.close()
    assert sorted(map(masked, s3.buckets["bucket"].items()), key=str) == sorted(told["objects"], key=str)
    left = sorted(f"tmp/{path.relative_to(temporary)}" for path in temporary.rglob("*") if path.is_file())
    assert [mask(name) for name in left] == told["left_in_temporary_directory"]
    assert_logged(vector, caplog.records)


def leftovers(vector: Path) -> dict[str, bytes]:
    left = json.loads(read_text(vector / "leftover.json") or "{}")
    return {
        name: base64.b64decode(content["base64"]) if isinstance(content, dict) else content.encode()
        for name, content in left.items()
    }


def read_text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def mask(key: str) -> str:
    return MINUTE.sub("<yyyy-MM-ddTHH.mm>", UUID.sub("<uuid>", key))


def masked(item: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    key, found = item
    answer = {"content_type": found["ContentType"], "key": mask(key)}
    content = found["Body"]
    if found.get("ContentEncoding"):
        answer |= {"content_encoding": found["ContentEncoding"], "gzip": True}
        content = gzip.decompress(content)
    text = content.decode()
    return answer | {"text": by_sorted_keys(text) if text.startswith("{") else text}


def by_sorted_keys(text: str) -> str:
    return "".join(to_json(dict(sorted(json.loads(line).items()))) + "\n" for line in text.splitlines())


@pytest.mark.parametrize("vector", named("-es-"), ids=lambda vector: vector.name)
def test_the_elasticsearch_output_speaks_as_recorded(
    vector: Path,
    workshop: Workshop,
    stub: Callable[[dict[str, Any]], Stub],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = expected(vector)
    server = stub(json.loads(read_text(vector / "stub.json") or "{}"))
    dead = DeadLetterQueue(workshop.directory / "dead")
    if "dead_letter_queue.enable: true" in read_text(vector / "settings.yml"):
        workshop.dead_letters = dead
    text = (vector / "pipeline.conf").read_text()
    if told.get("pipeline") == "did not start":
        with pytest.raises(ConfigurationError):
            workshop.plugins("output", text)
        return
    [output] = workshop.plugins("output", text)
    assert isinstance(output, Output)
    monkeypatch.setattr("logstash_standin.plugins.outputs.elasticsearch.RESURRECT_DELAY", 0)
    if "stdin_stays_open" not in server.told:
        workshop.stop.set()
    elif "calls_again_and_again_every_seconds" in told:
        workshop.stop.after_waits = 2
    output.register()
    with contextlib.suppress(AbortedBatch):
        output.receive(arrived(workshop, vector))
    output.close()
    assert server.bulks == bulks(vector)
    assert server.headers == told.get("bulk_headers", {})
    assert [call for call in server.calls if call in told["calls"]][: len(told["calls"])] == told["calls"]
    if "seconds_between_bulk_calls" in told:
        assert workshop.stop.waits == told["seconds_between_bulk_calls"]
    assert_logged(vector, caplog.records)
    assert [reason_of(letter.reason) for letter in dead.read(0, 99)] == [
        reason_of(line["dlq"]["reason"]) for line in lines(vector / "expected-dlq.jsonl")
    ]


def bulks(vector: Path) -> list[list[Any]]:
    calls = read_text(vector / "expected-bulk.jsonl").split("\n\n")
    return [[json.loads(line, parse_float=str) for line in call.splitlines()] for call in calls if call]


def reason_of(reason: str) -> str:
    reason = re.sub(r"(routing: nil\}), \{.*?\}\], response", r"\1, <event>], response", reason)
    return re.sub(r"event: `.*`", "event: `<event>`", reason)
