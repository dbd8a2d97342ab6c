# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline: inputs fill a queue, one worker takes batches through filters and outputs and then drops them from it."""

from __future__ import annotations

import glob
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from . import config
from .conditions import holds
from .config import Branch, ConfigurationError, plugins_of
from .dead_letters import DeadLetterQueue
from .event import Event, Value
from .log import inspect
from .plugins import Factory
from .plugins.base import AbortedBatch, ExecutionContext, Filter, Input, Output, Plugin
from .queue import Queue, QueueClosed
from .ruby import Ruby
from .settings import Settings, size, substituter

Nodes = list[Plugin | Branch[Plugin]]


class Pipeline:
    def __init__(self, settings: Settings, values: dict[str, Value]) -> None:
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
        """Make the plugins; false when there is no configuration."""
        substitute = substituter(self.settings.keystore)
        parsed = [config.parse(text, name, substitute) for name, text in self._sources()]
        _refuse_same_ids([plugin for each in parsed for plugin in each.plugins()])
        if self.values["dead_letter_queue.enable"]:
            directory = self.settings.path("dead_letter_queue") / self.id
            limit, policy = self.values["dead_letter_queue.max_bytes"], self.values["dead_letter_queue.storage_policy"]
            self.dead_letters = DeadLetterQueue(directory, size(limit), policy)
        data = Path(self.values["path.data"])
        context = ExecutionContext(self.id, data, self.values, self.dead_letters, self._ruby, self._stop)
        factory = Factory(context, substitute)
        self._inputs = factory.make_all([node for each in parsed for node in each.input])
        self._filters = factory.make_all([node for each in parsed for node in each.filter])
        self._outputs = factory.make_all([node for each in parsed for node in each.output])
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
        for plugin in plugins_of(self._inputs + self._filters + self._outputs):
            plugin.register()
        self._queue = self._new_queue()
        self.running = True
        inputs = [_in_background(self._feed, plugin) for plugin in plugins_of(self._inputs)]
        _in_background(self._stop_after, inputs)
        _in_background(self._work, ended)
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
        """End what building began."""
        self._ruby.close()
        if self.dead_letters:
            self.dead_letters.close()

    def _feed(self, plugin: Plugin) -> None:
        assert isinstance(plugin, Input)
        over = False
        while not over and not self._stop.is_set():
            try:
                plugin.run(self._push, self._stop)
                over = True
            except QueueClosed:
                over = True
            except Exception:
                self._log.exception("A plugin had an unrecoverable error. Will restart this plugin. %s", plugin.id)
                self._stop.wait(1)
        plugin.close()

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
            self._log.warning(
                "A batch could not be delivered and stays in the queue {pipeline_id: %s}", inspect(self.id)
            )
        except Exception:
            self._log.exception(
                "Pipeline worker error, the pipeline will be stopped {pipeline_id: %s}", inspect(self.id)
            )
            self._stop.set()
        finally:
            self.running = False
            for plugin in plugins_of(self._filters + self._outputs):
                plugin.close()
            self._queue.close()
            self.discard()
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
        """How many events wait."""
        return self._queue.events_count


def _in_background(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _filtered(nodes: Nodes, events: list[Event]) -> list[Event]:
    """What the filters make of the events, in the same order."""
    for node in nodes:
        if not events:
            break
        if isinstance(node, Branch):
            groups = itertools.groupby(events, partial(_arm, node))
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


def _arm(branch: Branch[Plugin], event: Event) -> int | None:
    return next((number for number, (condition, _) in enumerate(branch.arms) if holds(condition, event)), None)


def _body(branch: Branch[Plugin], arm: int | None) -> Nodes:
    return [] if arm is None else branch.arms[arm][1]


def _refuse_same_ids(plugins: list[config.Plugin]) -> None:
    by_id: dict[str, list[config.Plugin]] = {}
    for plugin in plugins:
        if "id" in plugin.settings:
            by_id.setdefault(plugin.settings["id"], []).append(plugin)
    for identifier, same in by_id.items():
        if len(same) > 1:
            described = (
                f"P[{each.kind}-{each.name}{inspect(each.settings)}|{each.location}:```\n{each.source}\n```]"
                for each in same
            )
            raise ConfigurationError(
                f"org.logstash.config.ir.InvalidIRException: Config has duplicate Ids: \nID: {identifier} "
                + "\n".join(described)
            )
