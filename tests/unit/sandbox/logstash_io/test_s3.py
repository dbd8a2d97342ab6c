# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime as dt
import gzip
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from logstash_standin.config import ConfigurationError
from logstash_standin.event import Event
from logstash_standin.plugins.inputs.s3 import S3Input
from logstash_standin.plugins.outputs.s3 import S3Output

from .conftest import FakeS3, Workshop

INPUT = """
input {
  s3 {
    bucket => "bucket"
    prefix => "in/"
    backup_to_bucket => "bucket"
    backup_add_prefix => "Processed/"
    delete => true
    sincedb_path => "/dev/null"
    watch_for_new_files => false
    temporary_directory => "${VEC_OUT}/tmp"
  }
}
"""
OUTPUT = """
output {
  s3 {
    bucket => "bucket"
    prefix => "events/"
    codec => json_lines
    encoding => "gzip"
    rotation_strategy => "size_and_time"
    size_file => 5000000
    time_file => 1
    temporary_directory => "${VEC_OUT}/tmp"
    validate_credentials_on_root_bucket => false
  }
}
"""


@pytest.fixture
def reader(workshop: Workshop, s3: FakeS3) -> S3Input:
    [plugin] = workshop.plugins("input", INPUT)
    assert isinstance(plugin, S3Input)
    plugin.register()
    return plugin


@pytest.fixture
def writer(workshop: Workshop, s3: FakeS3) -> S3Output:
    [plugin] = workshop.plugins("output", OUTPUT)
    assert isinstance(plugin, S3Output)
    plugin.register()
    return plugin


def put(s3: FakeS3, key: str, body: bytes, seconds_ago: float = 60) -> None:
    modified = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_ago)
    s3.buckets["bucket"][key] = {"Body": body, "LastModified": modified}


class TestInput:
    def test_what_is_younger_than_three_seconds_waits(self, workshop: Workshop, s3: FakeS3, reader: S3Input) -> None:
        put(s3, "in/old", b"old\n", 4)
        put(s3, "in/new", b"new\n", 1)
        pushed: list[Event] = []
        reader.run(pushed.extend, workshop.stop)
        assert [event.get("message") for event in pushed] == ["old\n"]
        assert sorted(s3.buckets["bucket"]) == ["Processed/in/old", "in/new"]

    def test_a_stop_in_the_middle_of_an_object_leaves_it_to_be_read_again(
        self, workshop: Workshop, s3: FakeS3, reader: S3Input
    ) -> None:
        put(s3, "in/a", b"line\n" * 600)
        pushed: list[Event] = []

        def push(events: list[Event]) -> None:
            pushed.extend(events)
            workshop.stop.set()

        reader.run(push, workshop.stop)
        assert len(pushed) == 500
        assert list(s3.buckets["bucket"]) == ["in/a"]

    def test_events_are_in_the_queue_before_their_object_is_moved(
        self, workshop: Workshop, s3: FakeS3, reader: S3Input
    ) -> None:
        put(s3, "in/a", b"line\n")
        moved_before: list[bool] = []
        reader.run(lambda _events: moved_before.append("in/a" not in s3.buckets["bucket"]), workshop.stop)
        assert moved_before == [False]
        assert list(s3.buckets["bucket"]) == ["Processed/in/a"]

    def test_an_object_changed_while_it_is_read_is_not_moved(
        self, workshop: Workshop, s3: FakeS3, reader: S3Input
    ) -> None:
        put(s3, "in/a", b"line\n")
        reader.run(lambda _events: put(s3, "in/a", b"more\n", 0), workshop.stop)
        assert list(s3.buckets["bucket"]) == ["in/a"]

    def test_an_object_deleted_while_it_is_read_ends_in_an_error(
        self, workshop: Workshop, s3: FakeS3, reader: S3Input
    ) -> None:
        put(s3, "in/a", b"line\n")
        with pytest.raises(ClientError, match="NoSuchKey"):
            reader.run(lambda _events: s3.buckets["bucket"].clear(), workshop.stop)
        assert s3.buckets["bucket"] == {}

    def test_lines_of_gzip_objects_follow_javas_readers(self, workshop: Workshop, s3: FakeS3, reader: S3Input) -> None:
        put(s3, "in/a.gz", gzip.compress(b"one\r\ntwo\rcaf\xe9\n") + gzip.compress(b"three"))
        pushed: list[Event] = []
        reader.run(pushed.extend, workshop.stop)
        assert [event.get("message") for event in pushed] == ["one", "two", "caf\ufffd", "three"]

    def test_a_setting_of_the_client_that_it_does_not_know_is_named(self, workshop: Workshop) -> None:
        text = INPUT.replace("delete => true", 'additional_settings => { "use_accelerate_endpoint" => true }')
        with pytest.raises(ConfigurationError, match="use_accelerate_endpoint"):
            workshop.plugins("input", text)


class TestOutput:
    def test_what_it_has_received_outlives_a_kill(self, workshop: Workshop, s3: FakeS3, writer: S3Output) -> None:
        writer.receive([Event({"n": 1})])
        writer.receive([Event({"n": 2})])
        contents = {path: path.read_bytes() for path in Path(workshop.directory).rglob("*.gz")}
        writer.close()
        s3.buckets["bucket"].clear()
        for path, content in contents.items():
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        [successor] = workshop.plugins("output", OUTPUT)
        assert isinstance(successor, S3Output)
        successor.register()
        successor.close()
        [(key, uploaded)] = s3.buckets["bucket"].items()
        assert key.startswith("events/ls.s3.")
        assert [line[:6] for line in gzip.decompress(uploaded["Body"]).splitlines()] == [b'{"n":1', b'{"n":2']
        assert not list(Path(workshop.directory).rglob("*.gz"))

    def test_an_upload_is_tried_until_s3_answers(
        self, s3: FakeS3, writer: S3Output, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        s3.failures = [ClientError({"Error": {"Code": "503", "Message": "Slow down"}}, "PutObject")] * 3
        writer.receive([Event({"n": 1})])
        writer.close()
        assert len(s3.buckets["bucket"]) == 1
        assert slept == [1, 1, 1]
        assert "Uploading failed, retrying (#3 of Infinity)" in caplog.text

    def test_an_old_file_goes_with_the_next_check(
        self, s3: FakeS3, writer: S3Output, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer.receive([Event({"n": 1})])
        assert s3.buckets["bucket"] == {}
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 60)
        writer.receive([Event({"n": 2})])
        [content] = [gzip.decompress(item["Body"]) for item in s3.buckets["bucket"].values()]
        assert content.count(b"\n") == 2
        writer.close()

    def test_parts_are_numbered_by_prefix(self, s3: FakeS3, writer: S3Output) -> None:
        writer.settings["size_file"] = 1
        for number in range(3):
            writer.receive([Event({"n": number})] * 400)
        writer.close()
        assert sorted(key.split(".")[-3] for key in s3.buckets["bucket"]) == ["part0", "part1", "part2"]
