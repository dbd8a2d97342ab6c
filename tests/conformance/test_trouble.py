# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewinds of running consumers in unquiet moments, while records flow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.services import Aws, Consumer
from tests.conformance.world import FIRST, SECOND, World, eventually

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
def resharding(world: World) -> Iterator[None]:
    """A shard is on its way to be two."""
    world.stream.begin_split(FIRST)
    yield
    world.stream.settle()


TROUBLES = {
    "two-workers": two_workers,
    "stealing": stealing,
    "paused-a-minute": paused,
    "resharding": resharding,
}


def test_a_rewind_in_an_unquiet_moment_repeats_everything(library: str, trouble: str, aws: Aws, tmp_path: Path) -> None:
    world = World(library, False, aws, tmp_path)
    stream, workers = world.stream, (world.consumer, world.other)

    def since() -> list[Run]:
        return [run for worker, before in zip(workers, befores, strict=True) for run in runs(worker, before)]

    try:
        world.live_through("unchanged")
        with flowing(world):
            with TROUBLES[trouble](world):
                befores = [len(worker.lines()) for worker in workers]
                world.rewind(position="trim_horizon")
            eventually("begin again", lambda: {shard for shard, _ in since()} >= {FIRST, SECOND}, world.consumer)
        everything = {(shard, event) for shard in stream.records for event in stream.events(shard)}
        eventually(
            "read everything again",
            lambda: everything <= {(shard, event) for shard, events in since() for event in events},
            world.consumer,
        )
        for shard, events in since():
            start = stream.events(shard).index(events[0]) if events else 0
            assert events == stream.events(shard)[start : start + len(events)], f"{shard} has a gap"
        eventually("keep its place", world.is_at_rest, world.consumer)
    finally:
        for worker in workers:
            worker.resume()
            worker.kill()
