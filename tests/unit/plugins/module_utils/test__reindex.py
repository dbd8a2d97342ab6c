# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import (
    BROKEN,
    COPY,
    CREATE,
    DISCARD,
    FEW,
    FOLLOW,
    NOTHING,
    SETTLE,
    Asked,
    Failure,
    Family,
    Task,
    families,
    kept_as,
    next_step,
    operations,
    switch,
)

DAY = "events-2026.11.20"
OLD, NEW = {"properties": {"n": {"type": "long"}}}, {"properties": {"n": {"type": "integer"}}}
ASKED = Asked({"codec": "best_compression"}, NEW)
WRITTEN = {"is_write_index": True}


def index(
    uuid: str, mappings: dict[str, t.Any], aliases: dict[str, t.Any] | None = None, /, **mark: object
) -> dict[str, t.Any]:
    """As the cluster describes one."""
    meta = {"_meta": {"reindex": {"asked": ASKED.digest, "done": False, **mark}}} if mark else {}
    settings = {
        "uuid": uuid,
        "codec": "best_compression",
        "creation_date": "1795840850069",
        "version": {"created": "9"},
    }
    return {"aliases": aliases or {}, "mappings": {**mappings, **meta}, "settings": {"index": settings}}


def family(**numbered: dict[str, t.Any]) -> Family:
    """The day with the old mapping, beside these of its numbers."""
    others = {f"{DAY}-{number.removeprefix('n')}": body for number, body in numbered.items()}
    (found,) = families({DAY: index("first", OLD, {"events": {}}), **others})
    return found


class TestFamilies:
    def test_the_index_in_force_is_the_one_that_the_name_leads_to(self) -> None:
        (found,) = families(
            {
                f"{DAY}-000000": index("first", OLD),
                f"{DAY}-000001": index("second", NEW, {DAY: WRITTEN, "events": {}}, uuid="first"),
                f"{DAY}-000002": index("third", NEW, uuid="second"),
            }
        )
        assert (found.name, found.live.uuid, found.is_first) == (DAY, "second", False)
        assert found.target
        assert found.target.uuid == "third"

    def test_numbered_ones_without_their_name_are_nobodys(self) -> None:
        assert families({f"{DAY}-000000": index("first", OLD)}) == []

    @pytest.mark.parametrize(
        "mark",
        [{"uuid": "another"}, {"uuid": "first", "done": True}],
        ids=["made of another index", "been in force before"],
    )
    def test_what_only_looks_like_a_target_is_left_alone(self, mark: dict[str, t.Any]) -> None:
        assert family(n000001=index("x", NEW, **mark)).target is None

    def test_numbers_that_are_taken_are_not_taken_again(self) -> None:
        assert (family().next_target, kept_as(family(), f"{DAY}-000001")) == (f"{DAY}-000001", f"{DAY}-000000")
        left = family(n000000=index("x", OLD), n000001=index("y", OLD))
        assert (left.next_target, kept_as(left, left.next_target)) == (f"{DAY}-000003", f"{DAY}-000002")


class TestSameAsAsked:
    def test_by_what_it_is(self) -> None:
        assert not family().live.is_as(ASKED)
        assert family().live.is_as(replace(ASKED, mappings=OLD))
        assert not family().live.is_as(replace(ASKED, mappings=OLD, settings={"codec": "default"}))
        assert not family().live.is_as(replace(ASKED, mappings=OLD, script={"source": "ctx._source.n = 1"}))

    def test_by_what_it_was_made_of(self) -> None:
        grown = {"properties": {"n": {"type": "integer"}, "dynamic": {"type": "text"}}}
        (found,) = families({f"{DAY}-000001": index("x", grown, {DAY: WRITTEN}, uuid="first", done=True)})
        assert found.live.is_as(ASKED)
        assert not found.live.is_as(replace(ASKED, query={"term": {"n": 1}}))


HALF = {"n000001": index("second", NEW, uuid="first")}


@pytest.mark.parametrize(
    "numbered, task, newer, step",
    [
        ({}, None, 0, CREATE),
        (HALF, None, 0, COPY),
        (HALF, Task("lost"), 0, COPY),
        (HALF, Task("running"), 0, FOLLOW),
        (HALF, Task("broken"), 0, BROKEN),
        (HALF, Task("ended"), FEW, SETTLE),
        (HALF, Task("ended"), FEW + 1, COPY),
        ({"n000001": index("second", NEW, uuid="first", asked="else")}, Task("running"), 0, DISCARD),
    ],
)
def test_the_next_step(numbered: dict[str, t.Any], task: Task | None, newer: int, step: str) -> None:
    assert next_step(family(**numbered), ASKED, task, newer) == step


def test_there_is_nothing_to_do_where_it_is_as_asked() -> None:
    assert next_step(family(), replace(ASKED, mappings=OLD), None, 0) == NOTHING


class TestTask:
    COUNTS: t.ClassVar = {"created": 2, "updated": 1, "version_conflicts": 1, "noops": 0, "deleted": 0}
    TASK: t.ClassVar = {"status": {"total": 9, "requests_per_second": 50.0, **COUNTS}}

    def answer(self, **response: object) -> dict[str, t.Any]:
        return {"completed": True, "task": self.TASK, "response": {"failures": [], **response}}

    def test_one_that_runs(self) -> None:
        assert Task.of({"completed": False, "task": self.TASK}) == Task("running", 9, 4, 50.0)

    def test_one_that_has_ended(self) -> None:
        assert Task.of(self.answer()) == Task("ended", 9, 4, 50.0)

    def test_one_that_went_with_its_node(self) -> None:
        assert Task.of(None).state == "lost"

    def test_one_whose_documents_were_refused(self) -> None:
        cause = {"type": "document_parsing_exception", "reason": "no number"}
        task = Task.of(self.answer(failures=[{"index": "x", "id": "7", "cause": cause, "status": 400}]))
        assert task.state == "broken"
        assert task.failures == (Failure("x", "7", 400, "document_parsing_exception: no number"),)
        assert task.explanation == ("it refuses 1 documents or more, such as 7 (document_parsing_exception: no number)")

    def test_one_that_was_cancelled(self) -> None:
        task = Task.of(self.answer(canceled="by user request"))
        assert (task.state, task.explanation) == ("broken", "by user request")

    def test_one_that_could_not_read(self) -> None:
        task = Task.of(self.answer(failures=[{"shard": 0, "reason": {"type": "node_closed"}}]))
        assert (task.state, "node_closed" in task.explanation) == ("broken", True)


def test_operations_are_those_that_every_copy_has() -> None:
    def copy(primary: bool, number: int) -> dict[str, t.Any]:
        # Other copies hear of it later.
        return {
            "routing": {"primary": primary},
            "seq_no": {"max_seq_no": 9, "local_checkpoint": 8, "global_checkpoint": number},
        }

    assert operations("day", {"1": [copy(True, 3)], "0": [copy(False, 1), copy(True, 2)]}, 2) == [2, 3]
    with pytest.raises(PipelineError, match="Shard 1 of day does not answer"):
        operations("day", {"0": [copy(True, 2)], "1": [copy(False, 3)]}, 3)


class TestSwitch:
    def test_the_first_index_makes_room_for_its_name(self) -> None:
        assert switch(family(), f"{DAY}-000001", keep=True) == [
            {"remove_index": {"index": DAY}},
            {"add": {"index": f"{DAY}-000001", "alias": "events"}},
            {"add": {"index": f"{DAY}-000001", "alias": DAY, "is_write_index": True}},
        ]

    @pytest.mark.parametrize(
        "keep, away",
        [
            (True, {"remove": {"index": f"{DAY}-000001", "aliases": ["events", DAY]}}),
            (False, {"remove_index": {"index": f"{DAY}-000001"}}),
        ],
    )
    def test_a_later_one_loses_its_names(self, keep: bool, away: dict[str, t.Any]) -> None:
        (found,) = families({f"{DAY}-000001": index("x", OLD, {DAY: WRITTEN, "events": {}})})
        first, *added = switch(found, f"{DAY}-000002", keep)
        assert first == away
        assert [action["add"]["index"] for action in added] == [f"{DAY}-000002"] * 2
