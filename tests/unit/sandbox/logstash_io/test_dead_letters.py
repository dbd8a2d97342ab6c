# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from logstash_standin.dead_letters import DeadLetterQueue
from logstash_standin.event import Event, Timestamp
from logstash_standin.plugins.base import Input

from .conftest import Workshop

INPUT = 'input { dead_letter_queue { path => "${VEC_OUT}" pipeline_id => "indexer" clean_consumed => %s } }'


def letters(directory: Path, count: int, **settings: int | str) -> DeadLetterQueue:
    queue = DeadLetterQueue(directory, **settings)  # type: ignore[arg-type]
    for number in range(count):
        queue.write(Event({"n": number, "@timestamp": "2024-05-01T12:00:00Z"}), "elasticsearch", "out", "status: 400")
    return queue


def numbers(queue: DeadLetterQueue) -> list[int]:
    return [Event.load(letter.event).get("n") for letter in queue.read(0, 99)]


class TestQueue:
    @pytest.mark.parametrize("policy, kept", [("drop_newer", [0, 1]), ("drop_older", [3, 4])])
    def test_a_full_queue_drops_and_counts(self, tmp_path: Path, policy: str, kept: list[int]) -> None:
        # Room for two and a bit: how long a letter is depends on the digits of its time.
        limit = letters(tmp_path / "measured", 2).size() * 5 // 4
        queue = letters(tmp_path / "full", 5, max_bytes=limit, storage_policy=policy)
        assert numbers(queue) == kept
        assert queue.dropped_events == 3

    def test_what_no_room_suffices_for_is_dropped_and_said(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        queue = letters(tmp_path, 1, max_bytes=10, storage_policy="drop_older")
        assert numbers(queue) == []
        assert queue.dropped_events == 1
        assert "reached maxQueueSize of 10" in caplog.text

    def test_an_event_that_came_out_of_a_queue_never_goes_in_again(self, tmp_path: Path) -> None:
        queue = DeadLetterQueue(tmp_path)
        queue.write(Event({"@metadata": {"dead_letter_queue": {}}}), "elasticsearch", "out", "again")
        assert queue.size() == 0

    def test_letters_outlive_their_process(self, tmp_path: Path) -> None:
        letters(tmp_path, 3)
        assert numbers(DeadLetterQueue(tmp_path)) == [0, 1, 2]


class TestInput:
    def read(self, workshop: Workshop, clean: str = "false") -> list[Event]:
        [plugin] = workshop.plugins("input", INPUT % clean)
        assert isinstance(plugin, Input)
        pushed: list[Event] = []
        workshop.stop.clear()
        workshop.stop.after_waits = len(workshop.stop.waits) + 1
        plugin.register()
        plugin.run(pushed.extend, workshop.stop)
        plugin.close()
        return pushed

    def test_a_letter_is_the_event_with_its_fate_in_the_metadata(self, workshop: Workshop) -> None:
        letters(workshop.directory / "indexer", 1)
        [event] = self.read(workshop)
        assert event.data == {"n": 0, "@version": "1", "@timestamp": Timestamp.parse("2024-05-01T12:00:00Z")}
        assert event.get("[@metadata][dead_letter_queue][reason]") == "status: 400"
        assert event.get("[@metadata][dead_letter_queue][plugin_type]") == "elasticsearch"
        assert event.get("[@metadata][dead_letter_queue][plugin_id]") == "out"
        assert Timestamp.parse(event.get("[@metadata][dead_letter_queue][entry_time]"))

    @pytest.mark.parametrize("clean, left", [("true", 0), ("false", 200)])
    def test_each_letter_is_read_once(self, workshop: Workshop, clean: str, left: int) -> None:
        queue = letters(workshop.directory / "indexer", 200)
        assert len(self.read(workshop, clean)) == 200
        assert len(queue.read(0, 999)) == left
        queue.write(Event({"n": 200}), "elasticsearch", "out", "status: 404")
        assert [event.get("n") for event in self.read(workshop, clean)] == [200]
