# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._archive import Event, NoEventError, Selection

MOMENT = datetime(2024, 5, 1, 12, tzinfo=UTC)


def line(**others: Any) -> str:  # noqa: ANN401 - fields of an event
    event = {"id": "id-1", "ingested": "2024-05-01T12:00:01.234Z", "action": "view"}
    return json.dumps({"@timestamp": "2024-05-01T12:00:00.000Z", "event": event, **others})


DAY = Selection(MOMENT, MOMENT + timedelta(1), {})


def read(text: str, selection: Selection = DAY) -> Event:
    event = selection.event(text, "again")
    assert event
    return event


class TestEvent:
    def test_it_tells_what_every_store_knows_it_by(self) -> None:
        assert read(line())[:3] == ("id-1", MOMENT, 1_714_564_801_234)

    @pytest.mark.parametrize("ingested", [None, "soon", 5, "0001-01-01T00:00:00+14:00"])
    def test_one_that_does_not_say_when_it_was_made_is_older_than_any(self, ingested: object) -> None:
        assert read(line(event={"id": "x", "ingested": ingested})).version == 0
        assert read(line(event={"id": "x"})).version == 0

    @pytest.mark.parametrize(
        "text",
        [
            *("", "no JSON", "[]", "null", "{}", f"{line()} x", line() * 2),
            *(line(event={}), line(event="x"), line(labels="x"), line(**{"@timestamp": "then"})),
            line(**{"@timestamp": "9999-12-31T23:59:59-14:00"}),
            *(line(event={"id": name}) for name in (5, "", "\ud800x")),
            "[" * 200_000,
        ],
    )
    def test_what_is_no_event_is_refused(self, text: str) -> None:
        with pytest.raises(NoEventError):
            read(text)

    @pytest.mark.parametrize("labels", [{}, {"labels": {"bot": True}}])
    def test_a_label_is_added_and_nothing_else_changed(self, labels: dict[str, Any]) -> None:
        payload = {"payload": {"a": "größe \ud83d"}}
        after = {**labels.get("labels", {}), "replay": "again", "replay_source": "archive"}
        assert json.loads(read(f" {line(**labels, **payload)}\r").text) == json.loads(line(labels=after, **payload))


class TestSelection:
    @pytest.mark.parametrize("seconds, expected", [(-1, False), (0, True), (59, True), (60, False)])
    def test_the_end_is_excluded(self, seconds: int, expected: bool) -> None:
        since = MOMENT - timedelta(seconds=seconds)
        assert bool(Selection(since, since + timedelta(minutes=1), {}).event(line(), "again")) is expected

    @pytest.mark.parametrize(
        "match, expected",
        [
            ({"event.action": "view"}, True),
            ({"event.action": "view", "event.id": "id-2"}, False),
            ({"event.action.deeper": "view"}, False),
            ({"no.such": None}, False),
        ],
    )
    def test_fields_must_have_their_values(self, match: dict[str, Any], expected: bool) -> None:
        assert bool(Selection(MOMENT, MOMENT + timedelta(1), match).event(line(), "again")) is expected
