# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import hashlib
import io
import json
import typing as t
from concurrent import futures
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock
from threading import Event as Signal
from unittest.mock import Mock

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _pace, _replay
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Event, Selection
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger_stores import Bucket
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._pace import Pace
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay import (
    READERS,
    Manifest,
    Progress,
    Replay,
    plan,
    question,
    replay_name,
    require_question,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._replay_targets import Sent, Target
from botocore.exceptions import ClientError

from .conftest import Clock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = Selection(NOON, NOON + timedelta(hours=1), {})


class FakeS3:
    """One bucket, over a dict."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {f"events/dt=2026-11-24/hour={name}.gz": content for name, content in objects.items()}

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **asked: t.Any) -> list[dict[str, t.Any]]:  # noqa: ANN401 - boto3's
        return [self.list_objects_v2(**asked)]

    def list_objects_v2(self, Bucket: str, Prefix: str) -> dict[str, t.Any]:  # noqa: N803 - boto3's
        found = [(key, content) for key, content in self.objects.items() if key.startswith(Prefix)]
        return {"Contents": [{"Key": key, "LastModified": NOON, "Size": len(content)} for key, content in found]}

    def download_fileobj(self, bucket: str, key: str, file: t.IO[bytes], Config: object) -> None:  # noqa: N803 - boto3's
        file.write(self.objects[key])

    def get_object(self, Bucket: str, Key: str) -> dict[str, t.Any]:  # noqa: N803 - boto3's
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": tag(self.objects[Key])}

    def put_object(
        self,
        Bucket: str,  # noqa: N803 - boto3's
        Key: str,  # noqa: N803 - boto3's
        Body: bytes,  # noqa: N803 - boto3's
        IfMatch: str | None = None,  # noqa: N803 - boto3's
        IfNoneMatch: str | None = None,  # noqa: N803 - boto3's
    ) -> dict[str, t.Any]:
        assert bool(IfMatch) is not bool(IfNoneMatch)
        if IfMatch and Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "PutObject")
        if IfNoneMatch and Key in self.objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        if IfMatch and IfMatch != tag(self.objects[Key]):
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        self.objects[Key] = Body
        return {"ETag": tag(Body)}


def tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archived(*names: str, moment: datetime = NOON, size: int = 0) -> bytes:
    event = {"@timestamp": moment.isoformat(), "payload": "x" * size}
    lines = [json.dumps({**event, "event": {"id": name}}) for name in names]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


class Collector:
    """Takes everything, and may break off."""

    def __init__(self, most: int | None = None) -> None:
        self.events: list[Event] = []
        self.calls: list[int] = []
        self._most, self._lock = most, Lock()

    @property
    def ids(self) -> list[str]:
        return sorted(event.id for event in self.events)

    def send(self, events: list[Event]) -> Sent:
        with self._lock:
            if self._most is not None and len(self.events) + len(events) > self._most:
                raise PipelineError("enough")
            self.events += events
            self.calls.append(len(events))
        return Sent(refused=tuple((event.id, "no") for event in events if event.id == "wrong"))


@pytest.fixture(autouse=True)
def batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_replay, "BATCH", 2)


def begin(s3: FakeS3, selection: Selection = HOUR) -> Progress:
    return Progress(question(selection, "stream"), plan(Bucket(s3, "clean"), selection))


def replay(s3: FakeS3, target: Target, progress: Progress | None = None) -> Progress:
    """Begin with this progress, or go on with the one that is left."""
    manifest = Manifest(s3, "clean", "again")
    progress = progress or manifest.load()
    assert progress
    Replay("again", HOUR, Bucket(s3, "clean"), target, Pace(0), manifest.save).work(progress)
    return progress


def left(s3: FakeS3) -> Progress:
    progress = Manifest(s3, "clean", "again").load()
    assert progress
    return progress


@pytest.mark.parametrize(
    "minutes, hours", [((0, 60), ["12"]), ((0, 61), ["12", "13"]), ((-1, 1), ["11", "12"]), ((59, 60), ["12"])]
)
def test_the_hours_of_the_span_are_read(minutes: tuple[int, int], hours: list[str]) -> None:
    s3 = FakeS3(**{f"{hour}/a": archived() for hour in range(10, 15)})
    since, until = (NOON + timedelta(minutes=each) for each in minutes)
    found = plan(Bucket(s3, "clean"), Selection(since, until, {}))
    assert sorted(found) == [f"events/dt=2026-11-24/hour={hour}/a.gz" for hour in hours]


def test_a_name_is_that_of_its_question() -> None:
    other = Selection(HOUR.since, HOUR.until, {"event.action": "view"})
    names = {replay_name(HOUR, "stream"), replay_name(HOUR, "index"), replay_name(other, "stream")}
    assert len(names) == 3
    assert replay_name(HOUR, "stream").startswith("20261124T120000Z-20261124T130000Z-stream-")


def test_of_one_name_there_is_one_replay() -> None:
    require_question("again", question(HOUR, "stream"), question(HOUR, "stream"))
    with pytest.raises(PipelineError, match="'again' was asked for target 'stream' and not 'index'"):
        require_question("again", question(HOUR, "stream"), question(HOUR, "index"))


class TestReplay:
    def test_every_event_of_the_span_is_sent_once_with_its_label(self) -> None:
        s3 = FakeS3(**{"12/a": archived("a", "b", "c"), "12/b": archived("d")})
        s3.objects["events/dt=2026-11-24/hour=12/c.gz"] = archived("late", moment=NOON + timedelta(hours=1))
        target = Collector()
        progress = replay(s3, target, begin(s3))
        assert target.ids == ["a", "b", "c", "d"]
        assert {json.loads(event.text)["labels"]["replay"] for event in target.events} == {"again"}
        assert (progress.done, progress.events) == (True, 4)
        assert progress.summary == "3 of 3 objects, 4 events"

    def test_one_that_broke_off_goes_on_where_it_was(self) -> None:
        s3 = FakeS3(**{"12/a": archived("a", "b", "c", "d", "e")})
        first, second = Collector(most=2), Collector()
        with pytest.raises(PipelineError, match="enough"):
            replay(s3, first, begin(s3))
        assert (left(s3).done, left(s3).events) == (False, 2)
        assert replay(s3, second).events == 5
        assert (first.ids, second.ids) == (["a", "b"], ["c", "d", "e"])

    def test_a_finished_one_does_nothing(self) -> None:
        s3 = FakeS3(**{"12/a": archived("a")})
        replay(s3, Collector(), begin(s3))
        target = Collector()
        assert replay(s3, target).done
        assert target.events == []

    def test_when_time_is_up_it_ends_between_two_batches(self) -> None:
        s3 = FakeS3(**{"12/a": archived("a", "b", "c")})
        target, progress = Collector(), begin(s3)
        Replay("again", HOUR, Bucket(s3, "clean"), target, Pace(0)).work(progress, -1)
        assert (target.events, progress.done) == ([], False)

    def test_what_is_refused_and_what_cannot_be_read_is_named(self) -> None:
        whole = archived("wrong", "right")
        s3 = FakeS3(**{"12/a": whole, "12/b": whole[: len(whole) // 2], "12/c": gzip.compress(b"no event\n")})
        progress = replay(s3, Collector(), begin(s3))
        assert (progress.refused, progress.reasons) == (1, {"wrong": "no"})
        assert progress.unreadable == [f"clean/events/dt=2026-11-24/hour=12/{name}.gz" for name in "bc"]
        assert progress.done

    def test_what_could_not_be_read_is_tried_again_once_it_is_mended(self) -> None:
        whole = archived("a", "b")
        s3 = FakeS3(**{"12/a": archived("c"), "12/b": whole[: len(whole) // 2]})
        assert replay(s3, Collector(), begin(s3)).unreadable
        s3.objects[next(key for key in s3.objects if key.endswith("12/b.gz"))] = whole
        target, progress = Collector(), left(s3)
        progress.begin(plan(Bucket(s3, "clean"), HOUR))
        Replay("again", HOUR, Bucket(s3, "clean"), target, Pace(0)).work(progress)
        assert (target.ids, progress.events, progress.unreadable) == (["a", "b"], 3, [])

    def test_what_an_earlier_call_could_not_read_stays_to_be_tried_again(self) -> None:
        s3 = FakeS3(**{"12/a": archived("a")})
        progress = begin(s3)
        (key,) = progress.left
        progress.unreadable = [f"clean/{key}"]
        replay(s3, Collector(), progress)
        assert (progress.done, progress.unreadable, [*progress.reached]) == (True, [f"clean/{key}"], [key])

    def test_a_call_is_no_larger_than_kinesis_takes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_replay, "BATCH", 500)
        s3 = FakeS3(**{"12/a": archived(*map(str, range(1001))), "12/b": archived(*"abcde", size=1024 * 1024 - 500)})
        target = Collector()
        replay(s3, target, begin(s3))
        assert sorted(target.calls) == [1, 1, 4, 500, 500]

    @pytest.mark.parametrize("size", [0, 8000])
    def test_no_second_gets_more_than_the_rate_and_a_small_burst(
        self, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(_replay, "BATCH", 500)
        monkeypatch.setattr(_replay, "READERS", 1)  # one clock stands for all
        clock = Clock()
        monkeypatch.setattr(_pace, "time", clock)
        s3 = FakeS3(**{"12/a": archived(*map(str, range(2000)), size=size)})
        calls: list[tuple[float, int, int]] = []

        class Taker:
            def send(self, events: list[Event]) -> Sent:
                calls.append((clock.now, len(events), sum(len(event.text) for event in events)))
                return Sent()

        Replay("again", HOUR, Bucket(s3, "clean"), Taker(), Pace(500, 512 * 1024)).work(begin(s3))
        seconds = [[call for call in calls if start <= call[0] <= start + 1] for start, *_ in calls]
        assert max(sum(events for _, events, _ in second) for second in seconds) <= 1.4 * 500
        assert max(sum(size for *_, size in second) for second in seconds) <= 1.4 * 512 * 1024

    def test_a_slow_one_ends_in_time_and_goes_on_with_the_next_event(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = Clock()
        monkeypatch.setattr(_replay, "READERS", 1)  # one clock stands for all
        monkeypatch.setattr(_pace, "time", clock)
        monkeypatch.setattr(_replay, "time", clock)
        s3 = FakeS3(**{f"12/{name}": archived(*(f"{name}{number}" for number in range(5))) for name in "abcde"})
        target, progress, ends = Collector(), begin(s3), list[float]()
        while not progress.done:
            Replay("again", HOUR, Bucket(s3, "clean"), target, Pace(1)).work(progress, 5)
            ends.append(clock.now)
        assert ends == [105, 110, 115, 120, 125]
        assert target.ids == [f"{name}{number}" for name in "abcde" for number in range(5)]
        assert set(target.calls) == {1}

    def test_several_objects_are_read_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        s3 = FakeS3(**{f"12/{number}": archived(str(number)) for number in range(READERS)})
        together = Barrier(READERS, timeout=5)
        download = s3.download_fileobj
        monkeypatch.setattr(s3, "download_fileobj", lambda *asked, **how: [together.wait(), download(*asked, **how)])
        assert replay(s3, Collector(), begin(s3)).events == READERS

    def test_of_large_objects_few_events_are_in_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_replay, "BATCH", 50)
        monkeypatch.setattr(_replay, "BATCH_BYTES", 20_000)
        names = [[f"{number}-{name}" for name in range(300)] for number in range(8)]
        sizes = [0, 2000] * 4
        objects = {f"12/{own[0]}": archived(*own, size=size) for own, size in zip(names, sizes, strict=True)}
        held: set[Event] = set()
        most_events, most_bytes, lock = 0, 0, Lock()
        read = Selection.event

        def event(*asked: t.Any) -> Event | None:  # noqa: ANN401 - what it takes
            nonlocal most_events, most_bytes
            found: Event | None = read(*asked)
            assert found
            with lock:
                held.add(found)
                most_events = max(most_events, len(held))
                most_bytes = max(most_bytes, sum(len(each.text) for each in held))
            return found

        class Taker:
            def send(self, events: list[Event]) -> Sent:
                with lock:
                    held.difference_update(events)
                return Sent()

        monkeypatch.setattr(Selection, "event", event)
        s3 = FakeS3(**objects)
        progress = begin(s3)
        Replay("again", HOUR, Bucket(s3, "clean"), Taker(), Pace(0)).work(progress)
        assert (progress.events, held) == (8 * 300, set())
        assert most_events <= READERS * 50
        assert most_bytes <= READERS * (20_000 + 2200)

    def test_readers_go_on_while_it_is_saved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_replay, "SAVE_SECONDS", 0)
        sending, saving, gone_on = Signal(), Signal(), Signal()

        def save(_text: str) -> None:
            if sending.is_set():
                saving.set()
                assert gone_on.wait(5)

        class Taker:
            def send(self, _events: list[Event]) -> Sent:
                if sending.is_set():
                    gone_on.set()
                sending.set()
                assert saving.wait(5)
                return Sent()

        s3 = FakeS3(**{"12/a": archived("a", "b", "c", "d")})
        Replay("again", HOUR, Bucket(s3, "clean"), Taker(), Pace(0), save).work(begin(s3))

    def test_to_save_takes_a_small_share_of_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock, pauses, enough = Clock(), list[float](), Signal()

        def wait(readers: list[Future[None]], pause: float, when: str) -> object:
            pauses.append(pause)
            if len(pauses) == 3:
                enough.set()
            return futures.wait(readers, None if enough.is_set() else 0, when)

        class Taker:
            def send(self, _events: list[Event]) -> Sent:
                assert enough.wait(5)
                return Sent()

        monkeypatch.setattr(_replay, "time", clock)
        monkeypatch.setattr(_replay, "wait", wait)
        s3 = FakeS3(**{"12/a": archived("a")})
        Replay("again", HOUR, Bucket(s3, "clean"), Taker(), Pace(0), lambda _text: clock.sleep(3)).work(begin(s3))
        assert pauses == [5, 60, 60]


class TestManifest:
    def test_of_two_runs_the_later_has_the_replay(self) -> None:
        s3 = FakeS3(**{"12/a": archived("a", "b", "c")})
        later = Collector()

        class Outlived(Collector):
            def send(self, events: list[Event]) -> Sent:
                if not later.ids:
                    replay(s3, later)
                return super().send(events)

        with pytest.raises(
            PipelineError, match=r"replays/again\.json: another run of this replay has written it since"
        ):
            replay(s3, Outlived(), begin(s3))
        assert (left(s3).done, left(s3).events, later.ids) == (True, 3, ["a", "b", "c"])

    def test_one_that_was_removed_meanwhile_is_not_made_again(self) -> None:
        s3 = FakeS3()
        manifest = Manifest(s3, "clean", "again")
        manifest.save("{}")
        s3.objects.clear()
        with pytest.raises(PipelineError, match="another run"):
            manifest.save("{ }")

    def test_one_that_was_overtaken_never_writes_again(self) -> None:
        s3 = FakeS3()
        former, later = Manifest(s3, "clean", "again"), Manifest(s3, "clean", "again")
        former.save(begin(s3).text())
        later.load()
        later.save("{}")
        for _attempt in range(2):
            with pytest.raises(PipelineError, match="another run"):
                former.save("{ }")
        later.save("{}")

    def test_what_was_written_by_itself_is_no_other_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        s3 = FakeS3()
        manifest, put = Manifest(s3, "clean", "again"), s3.put_object

        def put_twice(**asked: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - what it takes
            put(**asked)
            return put(**asked)

        monkeypatch.setattr(s3, "put_object", put_twice)
        for text in ("1", "2"):
            manifest.save(text)
        assert s3.objects == {"replays/again.json": b"2"}

    def test_another_failure_is_told_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        s3 = FakeS3()
        denied = ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")
        monkeypatch.setattr(s3, "put_object", Mock(side_effect=denied))
        with pytest.raises(PipelineError, match=r"again\.json: these credentials may not call PutObject"):
            Manifest(s3, "clean", "again").save("{}")


def test_progress_tells_what_is_left() -> None:
    progress = Progress({}, {"b": 300}, {"a": 100}, events=50, seconds=10.0)
    assert progress.summary == "1 of 2 objects, 50 events, 5 a second, 30 s left"


def test_what_the_index_has_newer_is_told() -> None:
    progress = Progress({}, {}, {"a": 100}, events=50, older=3)
    assert progress.summary == "1 of 1 objects, 50 events (3 of them the index has newer)"
