# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinesis input and a stand-in for its Java process; the real one runs in the local landscape."""

from __future__ import annotations

import base64
import json
import sys
import threading
from pathlib import Path

import pytest
from logstash_standin.config import ConfigurationError
from logstash_standin.event import Event
from logstash_standin.plugins.inputs import kinesis

from .conftest import Workshop

INPUT = """
input {
  kinesis {
    id => "stream"
    kinesis_stream_name => "events"
    application_name => "archiver"
    region => "us-east-1"
    checkpoint_interval_seconds => 5
    codec => json
    additional_settings => { "kinesis_endpoint" => "http://127.0.0.1:1" "failover_time_millis" => 3000 }
  }
}
"""
CLIENT = """
import pathlib, sys
told = pathlib.Path(sys.argv[1])
print(sys.argv[2], flush=True)
answer = sys.stdin.readline() or "none\\n"
told.open("a").write(answer)
if sys.argv[3] == "stays":
    sys.stdin.readline()
"""


def record(text: str) -> dict[str, str | int]:
    return {
        "data": base64.b64encode(text.encode()).decode(),
        "partition_key": "k",
        "sequence_number": "49",
        "approximate_arrival_timestamp": 1714564800000,
    }


@pytest.fixture
def plugin(workshop: Workshop) -> kinesis.Kinesis:
    [made] = workshop.plugins("input", INPUT)
    assert isinstance(made, kinesis.Kinesis)
    return made


def as_client(plugin: kinesis.Kinesis, told: Path, output: str, end: str) -> None:
    plugin.command = [sys.executable, "-c", CLIENT, str(told), output, end]


def test_the_client_is_told_all_settings(plugin: kinesis.Kinesis) -> None:
    assert {
        "-Dkinesis_stream_name=events",
        "-Dapplication_name=archiver",
        "-Dinitial_position_in_stream=TRIM_HORIZON",
        "-Dcheckpoint_interval_seconds=5",
        "-Dkinesis_endpoint=http://127.0.0.1:1",
        "-Dfailover_time_millis=3000",
    } <= set(plugin.command)
    assert any(argument.startswith("-Dworker_id=") for argument in plugin.command)


def test_a_setting_of_the_client_that_it_does_not_know_is_named(workshop: Workshop) -> None:
    with pytest.raises(ConfigurationError, match="max_records"):
        workshop.plugins("input", INPUT.replace("failover_time_millis", "max_records"))


def test_a_batch_is_acknowledged_when_it_is_in_the_queue(plugin: kinesis.Kinesis, tmp_path: Path) -> None:
    told, stop, pushed = tmp_path / "told", threading.Event(), []
    as_client(plugin, told, json.dumps([record('{"n": 1}'), record('{"n": 2}')]), "ends")

    def push(events: list[Event]) -> None:
        assert not told.exists()
        pushed.extend(events)
        stop.set()

    plugin.run(push, stop)
    assert [event.get("n") for event in pushed] == [1, 2]
    assert pushed[0].metadata == {
        "partition_key": "k",
        "sequence_number": "49",
        "approximate_arrival_timestamp": 1714564800000,
    }


def test_a_client_that_ends_is_started_again(
    plugin: kinesis.Kinesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kinesis, "RESTART_DELAY", 0)
    told, stop, pushed = tmp_path / "told", threading.Event(), []
    as_client(plugin, told, json.dumps([record('{"n": 1}')]), "ends")

    def push(events: list[Event]) -> None:
        pushed.extend(events)
        if len(pushed) == 3:
            stop.set()

    plugin.run(push, stop)
    assert len(pushed) == 3
    assert "is started again" in caplog.text


def test_half_a_line_is_no_batch(plugin: kinesis.Kinesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis, "RESTART_DELAY", 0)
    stop, told = threading.Event(), tmp_path / "told"
    as_client(plugin, told, '[{"data": "', "ends")
    monkeypatch.setattr(plugin.log, "warning", lambda *_: stop.set())
    plugin.run(lambda events: pytest.fail(f"pushed {events}"), stop)
    assert told.read_text() == "none\n"


def test_a_stop_ends_a_client_that_has_nothing_to_tell(plugin: kinesis.Kinesis, tmp_path: Path) -> None:
    stop = threading.Event()
    as_client(plugin, tmp_path / "told", json.dumps([record('{"n": 1}')]), "stays")
    plugin.run(lambda _events: stop.set(), stop)
    assert stop.is_set()
