# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from contextlib import closing
from datetime import UTC, datetime

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._cloudfront_log import Line
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._ledger import (
    TERMS,
    Hours,
    Ledger,
    balance,
    parse_hour,
    settled_hours,
    state,
    summary,
    table,
)

HOUR, NEXT = "2026-11-24T22", "2026-11-24T23"
ALWAYS = Hours()


def hit(number: int, event_id: str | None, line_hash: str = "h", hour: str = HOUR) -> Line:
    return Line(number, "hit" if event_id else "unreadable", hour, event_id, line_hash)


def filtered(number: int, hour: str = HOUR) -> Line:
    return Line(number, "filtered", hour, None, "f")


def terms(ledger: Ledger, hour: str = HOUR) -> dict[str, int]:
    """What is not zero."""
    return {term: count for term, count in ledger.hours()[hour].items() if count}


@pytest.fixture
def ledger() -> t.Iterator[Ledger]:
    with closing(Ledger(":memory:")) as ledger:
        yield ledger


class TestTerms:
    def test_a_hit_is_an_event_when_the_archive_has_its_id(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, "a"), hit(2, "b"), filtered(3)])
        ledger.archive([("a", HOUR), ("b", HOUR)])
        ledger.index([("a", HOUR), ("b", HOUR)])
        assert terms(ledger) == {"delivered": 3, "events": 2, "filtered": 1, "archived": 2, "indexed": 2}

    def test_the_same_id_again_is_repeated_not_another_event(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, "a"), hit(2, "a")])
        ledger.deliver("l", [hit(1, "a", hour=NEXT)])
        ledger.archive([("a", HOUR), ("a", HOUR)])
        assert terms(ledger) == {"delivered": 2, "events": 1, "repeated": 1, "archived": 1}
        assert terms(ledger, NEXT) == {"delivered": 1, "repeated": 1}

    def test_a_hit_is_malformed_when_a_record_has_its_key_and_hash(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, "a", "x"), hit(2, None, "y")])
        ledger.misform([("k", "x"), ("k", "y")])
        ledger.archive([("b", NEXT)])
        assert terms(ledger) == {"delivered": 2, "malformed": 2}

    def test_each_occurrence_of_a_line_needs_a_record_of_its_own(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, None, "x"), hit(2, None, "x"), hit(3, None, "x")])
        ledger.misform([("k", "x"), ("k", "x")])
        assert terms(ledger) == {"delivered": 3, "malformed": 2, "lost": 1}
        assert [lost["line"] for lost in ledger.differences(ALWAYS)["lost"]] == [3]

    def test_more_records_than_lines_make_no_line_more(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, None, "x")])
        ledger.misform([("k", "x"), ("k", "x")])
        assert terms(ledger) == {"delivered": 1, "malformed": 1}

    def test_a_record_of_another_object_does_not_find_a_line(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, None, "x")])
        ledger.misform([("l", "x")])
        assert terms(ledger) == {"delivered": 1, "lost": 1}

    def test_a_line_that_was_malformed_and_is_archived_by_now_is_an_event(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, "a", "x")])
        ledger.misform([("k", "x")])
        ledger.archive([("a", HOUR)])
        assert terms(ledger) == {"delivered": 1, "events": 1, "archived": 1}

    def test_a_refused_event_that_is_indexed_by_now_is_not_undeliverable(self, ledger: Ledger) -> None:
        ledger.refuse([("a", HOUR), ("b", HOUR), ("b", HOUR)])
        ledger.index([("a", HOUR)])
        assert terms(ledger) == {"indexed": 1, "undeliverable": 1}


class TestDifferences:
    def test_there_are_none_when_every_store_holds_the_same(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, "a"), hit(2, "b")])
        ledger.archive([("a", HOUR), ("b", HOUR)])
        ledger.index([("a", HOUR)])
        ledger.refuse([("b", HOUR)])
        assert not any(ledger.differences(ALWAYS).values())
        assert balance(ledger, ALWAYS)["closed"] is True

    @pytest.mark.parametrize(
        "name, delivered, archived, indexed",
        [
            ("lost", ["a", "b"], ["a"], ["a"]),
            ("not_delivered", ["a"], ["a", "b"], ["a", "b"]),
            ("not_archived", ["a"], ["a"], ["a", "b"]),
            ("missing_in_index", ["a", "b"], ["a", "b"], ["a"]),
        ],
    )
    def test_what_a_store_lacks_is_listed_and_keeps_the_ledger_open(
        self, ledger: Ledger, name: str, delivered: list[str], archived: list[str], indexed: list[str]
    ) -> None:
        ledger.deliver("k", [hit(number, event_id) for number, event_id in enumerate(delivered, 1)])
        ledger.archive((event_id, HOUR) for event_id in archived)
        ledger.index((event_id, HOUR) for event_id in indexed)
        differences = ledger.differences(ALWAYS)
        assert {key: [item["id"] for item in found] for key, found in differences.items() if found} == {name: ["b"]}
        assert balance(ledger, ALWAYS)["closed"] is False

    def test_an_unreadable_line_hides_no_archived_event(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, None)])
        ledger.archive([("a", HOUR)])
        assert ledger.differences(ALWAYS)["not_delivered"] == [{"hour": HOUR, "id": "a"}]

    def test_a_lost_line_can_be_found_again(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(7, "a", "x")])
        assert ledger.differences(ALWAYS)["lost"] == [{"hour": HOUR, "id": "a", "key": "k", "line": 7, "hash": "x"}]

    def test_only_settled_hours_count(self, ledger: Ledger) -> None:
        ledger.deliver("k", [hit(1, "a"), hit(2, "b", hour=NEXT), hit(3, "c", hour="2026-11-24T21")])
        result = balance(ledger, Hours(HOUR, NEXT))
        assert [lost["id"] for lost in result["lost"]] == ["a"]
        assert result["totals"]["delivered"] == 1
        assert [hour["state"] for hour in result["hours"]] == ["expired", "settled", "open"]

    def test_an_empty_ledger_closes(self, ledger: Ledger) -> None:
        result = balance(ledger, ALWAYS)
        assert result["closed"] is True
        assert result["hours"] == []


class TestHours:
    def test_the_days_of_a_span_are_those_of_its_hours(self) -> None:
        assert Hours("2026-11-24T22", "2026-11-26T00").days() == ["2026-11-24", "2026-11-25"]

    @pytest.mark.parametrize("hours", [Hours(), Hours("2026-11-24T22"), Hours(until="2026-11-24T22")])
    def test_a_span_without_an_end_has_no_list_of_days(self, hours: Hours) -> None:
        assert hours.days() == []

    @pytest.mark.parametrize("hour, included", [("2026-11-24T21", False), (HOUR, True), (NEXT, False)])
    def test_a_span_has_its_first_hour_and_not_its_last(self, hour: str, included: bool) -> None:
        assert Hours(HOUR, NEXT).includes(hour) is included

    @pytest.mark.parametrize(
        "open_hours, hour, expected",
        [
            (24, "2026-11-24T11", "settled"),
            (24, "2026-11-24T12", "open"),
            (0, "2026-11-25T12", "settled"),
            (24, "2026-08-27T12", "settled"),
            (24, "2026-08-27T11", "expired"),
        ],
    )
    def test_an_hour_is_open_expired_or_settled_by_its_age(self, open_hours: int, hour: str, expected: str) -> None:
        now = datetime(2026, 11, 25, 12, 59, tzinfo=UTC)
        assert state(hour, settled_hours(now, open_hours, 90)) == expected


class TestParseHour:
    @pytest.mark.parametrize(
        "text, hour",
        [
            (None, ""),
            ("", ""),
            ("2026-11-24", "2026-11-24T00"),
            ("2026-11-24T18", "2026-11-24T18"),
            ("2026-11-24T18:59:00Z", "2026-11-24T18"),
            ("2026-11-24T01:30:00+02:00", "2026-11-23T23"),
        ],
    )
    def test_a_time_is_taken_to_its_hour_in_utc(self, text: str | None, hour: str) -> None:
        assert parse_hour(text) == hour

    def test_what_is_no_time_is_named(self) -> None:
        with pytest.raises(PipelineError, match=r"'yesterday'.*2026-11-24T18"):
            parse_hour("yesterday")


class TestForms:
    COUNTS: t.ClassVar = dict(zip(TERMS, (9, 5, 1, 5, 4, 1, 2, 1, 0), strict=True))

    def test_the_one_line_form_names_every_term(self) -> None:
        assert summary(self.COUNTS) == (
            "ledger: delivered=9 events=5 repeated=1 archived=5 indexed=4 undeliverable=1 malformed=2 filtered=1 lost=0"
        )

    def test_the_table_has_a_line_for_each_hour(self) -> None:
        header, row = table({HOUR: self.COUNTS}, ALWAYS)
        assert header.split() == ["hour", "(UTC)", "state", *TERMS]
        assert row.split() == [HOUR, "settled", "9", "5", "1", "5", "4", "1", "2", "1", "0"]
        assert len(header) == len(row)
