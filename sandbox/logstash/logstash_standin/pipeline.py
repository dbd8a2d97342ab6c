# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline: inputs fill a queue, one worker takes batches through filters and outputs and then drops them from it."""

from __future__ import annotations

import glob
import itertools
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import config
from .conditions import holds
from .config import Branch, ConfigurationError
from .dead_letters import DeadLetterQueue
from .event import Event
from .log import inspect
from .plugins import Factory
from .plugins.base import AbortedBatch, ExecutionContext, Filter, Input, Output, Plugin
from .ruby import Ruby
from .settings import Settings, size, substituter

Nodes = list[Plugin | Branch]


class Queue:
    """Events between inputs and worker in a SQLite database: on disk it outlives a kill, in memory it is small."""

    def __init__(self, path: Path | None, max_bytes: int, max_events: int | None) -> None:
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event TEXT NOT NULL)")
        row = self._database.execute("SELECT count(*), coalesce(sum(length(event)), 0) FROM events").fetchone()
        self.events_count, self._bytes = row
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._batch = (0, 0, 0)
        self._changed = threading.Condition()

    def push(self, events: list[Event]) -> None:
        texts = [event.dump() for event in events]
        with self._changed:
            self._changed.wait_for(self._has_room)
            self._database.executemany("INSERT INTO events (event) VALUES (?)", [(text,) for text in texts])
            self._database.commit()
            self._count(len(texts), sum(map(len, texts)))

    def _has_room(self) -> bool:
        return self._bytes < self._max_bytes and (self._max_events is None or self.events_count < self._max_events)

    def _count(self, events: int, length: int) -> None:
        self.events_count += events
        self._bytes += length
        self._changed.notify_all()

    def read(self, limit: int, delay: float) -> list[Event]:
        """The oldest events; it waits until there are enough, at most for the delay."""
        with self._changed:
            self._changed.wait_for(lambda: self.events_count >= limit, delay)
            rows = self._database.execute("SELECT id, event FROM events ORDER BY id LIMIT ?", (limit,)).fetchall()
        if rows:
            self._batch = (rows[-1][0], len(rows), sum(len(text) for _, text in rows))
        return [Event.load(text) for _, text in rows]

    def drop(self) -> None:
        """Drop what was read last."""
        last, events, length = self._batch
        with self._changed:
            self._database.execute("DELETE FROM events WHERE id <= ?", (last,))
            self._database.commit()
            self._count(-events, -length)

    def close(self) -> None:
        self._database.close()


class Pipeline:
    def __init__(self, settings: Settings, values: dict[str, Any]) -> None:
        self.id: str = values["pipeline.id"]
        self.values = values
        self.settings = settings
        self.events = {"in": 0, "filtered": 0, "out": 0}
        self.dead_letters: DeadLetterQueue | None = None
        self.running = False
        self._stop = threading.Event()
        self._ruby = Ruby(values["path.plugins"])
        self._log = logging.getLogger("logstash.javapipeline")

    def build(self) -> bool:
        """Make the plugins; whether the configuration holds any text."""
        substitute = substituter(self.settings.keystore)
        parsed = [config.parse(text, name, substitute) for name, text in self._sources()]
        _refuse_same_ids([plugin for each in parsed for plugin in _plugins(each)])
        if self.values["dead_letter_queue.enable"]:
            directory = self.settings.path("dead_letter_queue") / self.id
            limit, policy = self.values["dead_letter_queue.max_bytes"], self.values["dead_letter_queue.storage_policy"]
            self.dead_letters = DeadLetterQueue(directory, size(limit), policy)
        data = Path(self.values["path.data"])
        factory = Factory(ExecutionContext(self.id, data, self.values, self.dead_letters, self._ruby, self._stop), substitute)
        number = itertools.count(1)

        def made(nodes: Any) -> Nodes:
            return [
                Branch([(condition, made(body)) for condition, body in node.arms])
                if isinstance(node, Branch)
                else factory.make(node, f"{node.name}_{next(number)}")
                for node in nodes
            ]

        self._inputs = made([node for each in parsed for node in each.input])
        self._filters = made([node for each in parsed for node in each.filter])
        self._outputs = made([node for each in parsed for node in each.output])
        return bool(parsed)

    def _sources(self) -> Iterator[tuple[str, str]]:
        if self.values["config.string"]:
            yield "config_string", self.values["config.string"]
            return
        given = Path(self.values["path.config"])
        pattern = str(given / "*") if given.is_dir() else str(given)
        files = sorted(path for path in map(Path, glob.glob(pattern)) if path.is_file() and not path.name.endswith("~"))
        for file in files:
            yield str(file), file.read_text()

    def start(self, ended: Callable[[], None]) -> None:
        """Register the plugins and set to work; `ended` is called when all of it is over."""
        for plugin in (*_flat(self._inputs), *_flat(self._filters), *_flat(self._outputs)):
            plugin.register()
        self._queue = self._new_queue()
        self.running = True
        inputs = [threading.Thread(target=self._feed, args=(plugin,), daemon=True) for plugin in _flat(self._inputs)]
        for thread in inputs:
            thread.start()
        threading.Thread(target=self._stop_after, args=(inputs,), daemon=True).start()
        threading.Thread(target=self._work, args=(ended,), daemon=True).start()
        self._log.info("Pipeline started {pipeline.id: %s}", inspect(self.id))

    def _new_queue(self) -> Queue:
        if self.values["queue.type"] == "memory":
            return Queue(None, size("1tb"), self.values["pipeline.batch.size"])
        directory = self.settings.path("queue") / self.id
        directory.mkdir(parents=True, exist_ok=True)
        return Queue(directory / "events.sqlite", size(self.values["queue.max_bytes"]), None)

    def stop(self) -> None:
        self._stop.set()
        self._ruby.stop()

    def discard(self) -> None:
        """End what building began, of a pipeline that is not to start."""
        self._ruby.close()

    def _feed(self, plugin: Plugin) -> None:
        assert isinstance(plugin, Input)
        while not self._stop.is_set():
            try:
                return plugin.run(self._push, self._stop)
            except Exception:
                self._log.exception("A plugin had an unrecoverable error. Will restart this plugin. %s", plugin.id)
                self._stop.wait(1)
        return None

    def _push(self, events: list[Event]) -> None:
        self._queue.push(events)
        self.events["in"] += len(events)

    def _stop_after(self, inputs: list[threading.Thread]) -> None:
        for thread in inputs:
            thread.join()
        self.stop()

    def _work(self, ended: Callable[[], None]) -> None:
        drains = self.values["queue.drain"] or self.values["queue.type"] == "memory"
        try:
            while True:
                self._take_batch()
                if self._stop.is_set() and not (drains and self._queue.events_count):
                    break
        except AbortedBatch:
            self._log.warning("A batch could not be delivered and stays in the queue {pipeline_id: %s}", inspect(self.id))
        except Exception:
            self._log.exception("Pipeline worker error, the pipeline will be stopped {pipeline_id: %s}", inspect(self.id))
            self._stop.set()
        finally:
            for plugin in (*_flat(self._filters), *_flat(self._outputs)):
                plugin.close()
            self._ruby.close()
            self.running = False
            self._log.info("Pipeline terminated {pipeline.id: %s}", inspect(self.id))
            ended()

    def _take_batch(self) -> None:
        events = self._queue.read(self.values["pipeline.batch.size"], self.values["pipeline.batch.delay"] / 1000)
        if not events:
            return
        events = _filtered(self._filters, events)
        self.events["filtered"] += len(events)
        _deliver(self._outputs, events)
        self.events["out"] += len(events)
        self._queue.drop()

    @property
    def queued(self) -> int:
        return self._queue.events_count


def _filtered(nodes: Nodes, events: list[Event]) -> list[Event]:
    """What the filters make of the events, in the same order."""
    for node in nodes:
        if not events:
            break
        if isinstance(node, Branch):
            groups = itertools.groupby(events, lambda event, node=node: _arm(node, event))
            events = [event for arm, group in groups for event in _filtered(_body(node, arm), list(group))]
        else:
            assert isinstance(node, Filter)
            events = node.filter(events)
    return events


def _deliver(nodes: Nodes, events: list[Event]) -> None:
    for node in nodes:
        if isinstance(node, Branch):
            arms = [_arm(node, event) for event in events]
            for number, (_, body) in enumerate(node.arms):
                _deliver(body, [event for event, arm in zip(events, arms, strict=True) if arm == number])
        elif events:
            assert isinstance(node, Output)
            node.receive(events)


def _arm(branch: Branch, event: Event) -> int | None:
    return next((number for number, (condition, _) in enumerate(branch.arms) if holds(condition, event)), None)


def _body(branch: Branch, arm: int | None) -> Nodes:
    return [] if arm is None else branch.arms[arm][1]


def _refuse_same_ids(plugins: list[config.Plugin]) -> None:
    by_id: dict[str, list[config.Plugin]] = {}
    for plugin in plugins:
        if "id" in plugin.settings:
            by_id.setdefault(plugin.settings["id"], []).append(plugin)
    for identifier, same in by_id.items():
        if len(same) > 1:
            described = (
                f"P[{each.kind}-{each.name}{inspect(each.settings)}|{each.location}:```\n{each.source}\n```]" for each in same
            )
            raise ConfigurationError(
                f"org.logstash.config.ir.InvalidIRException: Config has duplicate Ids: \nID: {identifier} " + "\n".join(described)
            )


def _plugins(nodes: Any) -> Iterator[config.Plugin]:
    return (plugin for section in (nodes.input, nodes.filter, nodes.output) for plugin in _flat(section))


def _flat(nodes: Any) -> Iterator[Any]:
    """All plugins, those of branches included."""
    for node in nodes:
        if isinstance(node, Branch):
            for _, body in node.arms:
                yield from _flat(body)
        else:
            yield node
