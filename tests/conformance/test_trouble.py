# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewinds of running consumers in unquiet moments, while records flow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import TRIM_HORIZON, Position

from tests.conformance.matrix import VALUES
from tests.conformance.services import Aws, Consumer
from tests.conformance.world import FIRST, SECOND, World, eventually
from tests.unit.templates.cloudformation.conftest import allowed

PAUSE_SECONDS = 60
Run = tuple[str, list[str]]


@contextmanager
def flowing(world: World) -> Iterator[None]:
    """Records, all the time, so that each moment finds a checkpoint on its way."""
    over = threading.Event()

    def put() -> None:
        while not over.wait(0.05):
            world.stream.put(1)

    feeder = threading.Thread(target=put)
    feeder.start()
    try:
        yield
    finally:
        over.set()
        feeder.join()


def runs(consumer: Consumer, start: int) -> list[Run]:
    """Since a line of its output: what a worker delivered of each shard, from one taking of it to the next."""
    begun: dict[str, list[str]] = {}
    found: list[Run] = []
    for number, (shard, text) in enumerate(consumer.lines()):
        if text == "taken":
            begun[shard] = []
            if number >= start:
                found.append((shard, begun[shard]))
        else:
            begun[shard].append(text)
    return found


@contextmanager
def two_workers(world: World) -> Iterator[None]:
    """Each has a shard."""
    world.other.start()
    eventually("read on", lambda: len(world.other.lines()) > 10, world.other)
    yield


@contextmanager
def stealing(world: World) -> Iterator[None]:
    """The other one has just taken the first."""
    world.other.start()
    eventually("join", lambda: bool(world.other.lines()), world.other)
    yield


@contextmanager
def paused(world: World) -> Iterator[None]:
    """The worker that is rewound stands still, and comes back when the other one has long had its shards."""
    world.consumer.pause()
    start = time.monotonic()
    yield
    world.forget_leader()
    world.other.start()
    eventually("take over", lambda: len(world.other.lines()) > 10, world.other)
    eventually("let a minute pass", lambda: time.monotonic() > start + PAUSE_SECONDS, world.other, 2 * PAUSE_SECONDS)
    world.consumer.resume()


@contextmanager
def splitting(world: World) -> Iterator[None]:
    """A shard is on its way to be two."""
    world.stream.begin("split")
    yield
    world.stream.settle()


@contextmanager
def merging(world: World) -> Iterator[None]:
    """Two shards are on their way to be one."""
    world.stream.begin("merge")
    yield
    world.stream.settle()


TROUBLES = {
    "two-workers": two_workers,
    "stealing": stealing,
    "paused-a-minute": paused,
    "splitting": splitting,
    "merging": merging,
}


@pytest.mark.parametrize("library", VALUES["library"])
def test_what_a_worker_had_without_saying_so_comes_again(library: str, aws: Aws, tmp_path: Path) -> None:
    """Checkpoints are rare: Logstash writes one each minute."""
    world = World(library, False, aws, tmp_path, pause=3600)
    stream, times = world.stream, 1

    def has_read_all() -> bool:
        everything = [(shard, event) for shard in stream.records for event in stream.events(shard)]
        return sorted(world.delivered()) == sorted(everything * times)

    try:
        stream.put(4)
        world.consumer.start()
        eventually("read all", has_read_all, world.consumer)
        stream.date()
        since = max(stream.records[shard][1].arrival for shard in (FIRST, SECOND))
        for times in (2, 3):
            world.manifest = str(tmp_path / f"manifest-{times}")
            world.rewind(position="at_timestamp", timestamp=since.isoformat())
            eventually(f"read all {times} times", has_read_all, world.consumer)
    finally:
        world.consumer.kill()


class Killed(BaseException):
    """Nothing catches it, as nothing catches a SIGKILL."""


def test_a_rewind_that_was_killed_is_completed_and_put_back(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World("2.7.2", False, aws, tmp_path)
    stream, table = world.stream, world.table

    def positions() -> dict[str, Position]:
        return {shard: lease.position for shard, lease in table.read().items()}

    def delivered(start: int) -> list[tuple[str, str]]:
        return sorted(world.delivered(start))

    def events(start: int) -> list[tuple[str, str]]:
        """Of both shards, from a record of each on."""
        return sorted((shard, event) for shard in stream.records for event in stream.events(shard, start))

    try:
        world.live_through("unchanged")
        world.end_worker("stopped")
        former, place, written = positions(), table.place, list[str]()

        def place_one(*arguments: Any) -> None:  # noqa: ANN401 - of several types
            if written:
                raise Killed
            written.append("one")
            place(*arguments)

        monkeypatch.setattr(table, "place", place_one)
        with pytest.raises(Killed):
            world.rewind(position="trim_horizon")
        monkeypatch.undo()
        assert sum(position.checkpoint == TRIM_HORIZON for position in positions().values()) == 1

        world.rewind(resume=world.manifest)
        count, before = len(stream.records[FIRST]), len(world.consumer.lines())
        stream.put()
        world.consumer.start()
        eventually("read all again", lambda: delivered(before) == events(0), world.consumer)
        eventually("say so", world.is_at_rest, world.consumer)
        world.end_worker("stopped")
        world.rewind(restore=world.manifest)
        assert positions() == former
        before = len(world.consumer.lines())
        world.consumer.start()
        eventually("read on", lambda: delivered(before) == events(count), world.consumer)
        assert world.called <= allowed("OperatorPolicy")
    finally:
        world.consumer.kill()


@pytest.mark.parametrize("library", VALUES["library"])
def test_the_tip_lies_past_generations_that_nobody_has_read(library: str, aws: Aws, tmp_path: Path) -> None:
    world = World(library, False, aws, tmp_path)
    stream = world.stream
    try:
        world.write_history("two-generations")
        world.rewind(position="latest", allow_skip=True)
        world.consumer.start()
        children = {shard["ShardId"] for shard in stream.open()}
        eventually("take the last", lambda: {shard for shard, _ in world.consumer.lines()} >= children, world.consumer)
        old = {shard: len(stream.records[shard]) for shard in stream.records}
        stream.put()
        new = sorted((shard, event) for shard, count in old.items() for event in stream.events(shard, count))
        eventually("read on", lambda: len(world.delivered()) >= len(new), world.consumer)
        eventually("say so", world.is_at_rest, world.consumer)
        assert sorted(world.delivered()) == new
    finally:
        world.consumer.kill()


@pytest.mark.parametrize("library", VALUES["library"])
def test_what_is_said_of_a_consumer_is_so(library: str, aws: Aws, tmp_path: Path) -> None:
    world = World(library, False, aws, tmp_path)
    try:
        world.live_through("split")
        # Another consumer's, of a younger stream whose shards have the same names.
        other = World(library, False, aws, tmp_path)
        other.stream.put(1)
        for shard in other.reader.shards().values():
            place = Position(other.stream.records[shard.id][0].number)
            other.table.place(shard, other.table.read()[shard.id], place, "test")

        survey = world.survey()
        assert other.table.name not in survey
        running = survey[world.table.name]
        assert (running["lag"], running["workers"]) == (0, ["worker"])
        assert running["totals"] == {"shards": 4, "finished": 1, "alive": 3, "silent": 0}

        world.end_worker("stopped")
        world.stream.put()
        stopped = world.survey()[world.table.name]
        assert stopped["workers"] == []
        assert stopped["totals"] == {"shards": 4, "finished": 1, "alive": 0, "silent": 3}
        assert 3000 < stopped["lag"] < 60_000
    finally:
        world.consumer.kill()


def test_a_rewind_in_an_unquiet_moment_repeats_everything(
    library: str, trouble: str, position: str, aws: Aws, tmp_path: Path
) -> None:
    world = World(library, False, aws, tmp_path)
    stream, workers = world.stream, (world.consumer, world.other)

    def since() -> list[Run]:
        return [run for worker, before in zip(workers, befores, strict=True) for run in runs(worker, before)]

    try:
        world.live_through("unchanged")
        options, starts = {"position": position}, dict.fromkeys((FIRST, SECOND), 0)
        if position == "at_timestamp":
            stream.date()
            moment = stream.records[FIRST][3].arrival
            options["timestamp"] = moment.isoformat()
            starts = {shard: sum(one.arrival < moment for one in stream.records[shard]) for shard in starts}
        with flowing(world):
            with TROUBLES[trouble](world):
                befores = [len(worker.lines()) for worker in workers]
                world.rewind(**options)
            eventually("begin again", lambda: {shard for shard, _ in since()} >= {FIRST, SECOND}, world.consumer)
        everything = {
            (shard, event) for shard in stream.records for event in stream.events(shard, starts.get(shard, 0))
        }
        eventually(
            "read everything again",
            lambda: everything <= {(shard, event) for shard, events in since() for event in events},
            world.consumer,
        )
        for shard, events in since():
            start = stream.events(shard).index(events[0]) if events else starts.get(shard, 0)
            assert start >= starts.get(shard, 0), f"{shard} begins too early"
            assert events == stream.events(shard)[start : start + len(events)], f"{shard} has a gap"
        eventually("keep its place", world.is_at_rest, world.consumer)
    finally:
        for worker in workers:
            worker.resume()
            worker.kill()
