# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import (
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    Lease,
    Position,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewind import (
    BEHIND,
    DONE,
    NO_RECORD,
    THERE,
    TO_COME,
    Plan,
    Start,
    plan,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard

HORIZON, TIP, END = Position(TRIM_HORIZON), Position(LATEST), Position(SHARD_END)
NONE = Start(None, None)

# A stream in its third generation: a was split into b and c, c and d were merged into e. f never changed.
LINEAGE = {"a": (), "b": ("a",), "c": ("a",), "d": (), "e": ("c", "d"), "f": ()}
CLOSED = {"a", "c", "d"}


def shard(name: str) -> Shard:
    return Shard(name, LINEAGE[name], ("0", "9"), "100", "999" if name in CLOSED else None)


SHARDS = {name: shard(name) for name in LINEAGE}


def leases(**positions: Position) -> dict[str, Lease]:
    return {name: Lease(name, position, 1, "worker", None, {}) for name, position in positions.items()}


def idle(**positions: Position) -> dict[str, Lease]:
    """Without an owner, as a rewind leaves them."""
    return {name: Lease(name, position, 1, None, "r1", {}) for name, position in positions.items()}


def at(number: int) -> Start:
    """Where the record of this number comes first."""
    return Start(Position.before(str(number)), Record(str(number), datetime(2026, 11, 25, tzinfo=UTC)))


def written(made: Plan) -> list[tuple[str, Position]]:
    return [(move.shard.id, move.target) for move in made.moves]


def rewind(now: dict[str, Lease], starts: dict[str, Start], allow_skip: bool = False, whole: bool = True) -> Plan:
    return plan(SHARDS, now, starts, allow_skip, whole)


class TestOneShard:
    @pytest.mark.parametrize(
        "position", [Position("500"), Position("200", 0), Position("200", 3), TIP, END], ids=lambda p: p.checkpoint
    )
    def test_a_consumer_that_is_past_the_record_goes_back(self, position: Position) -> None:
        assert written(rewind(leases(f=position), {"f": at(200)})) == [("f", Position("200", -1))]

    @pytest.mark.parametrize("position", [HORIZON, Position("199", 9)], ids=lambda p: p.checkpoint)
    def test_one_that_has_not_come_that_far_stays(self, position: Position) -> None:
        assert rewind(idle(f=position), {"f": at(200)}) == Plan([], {"f": BEHIND})

    @pytest.mark.parametrize(
        "position", [HORIZON, Position("199", 9), Position("200", -1)], ids=lambda p: f"{p.checkpoint} {p.subsequence}"
    )
    def test_a_worker_may_be_further_than_its_checkpoint_and_begins_again_there(self, position: Position) -> None:
        assert written(rewind(leases(f=position), {"f": at(200)})) == [("f", position)]

    def test_it_skips_when_that_is_allowed(self) -> None:
        assert written(rewind(idle(f=HORIZON), {"f": at(200)}, allow_skip=True)) == [("f", Position("200", -1))]

    def test_one_that_stands_there_stays(self) -> None:
        assert rewind(idle(f=Position("200", -1)), {"f": at(200)}) == Plan([], {"f": THERE})

    def test_one_without_a_record_of_that_time_stays(self) -> None:
        assert rewind(leases(f=Position("200")), {"f": NONE}) == Plan([], {"f": NO_RECORD})

    def test_the_tip_is_ahead_of_any_record(self) -> None:
        assert rewind(idle(f=Position("200")), {"f": Start(TIP, None)}) == Plan([], {"f": BEHIND})
        assert written(rewind(leases(f=Position("200")), {"f": Start(TIP, None)}, allow_skip=True)) == [("f", TIP)]


class TestGenerations:
    """The consumer has finished a, c and d, and reads b, e and f."""

    FINISHED = leases(a=END, b=Position("700"), c=END, d=END, e=Position("800"), f=Position("900"))
    CLEANED = leases(b=Position("700"), e=Position("800"), f=Position("900"))

    @pytest.mark.parametrize("now", [FINISHED, CLEANED], ids=["finished", "cleaned away"])
    def test_what_descends_from_a_parent_comes_again_after_it(self, now: dict[str, Lease]) -> None:
        starts = {"a": at(150), "b": at(400), "c": at(400), "d": at(160), "e": at(600), "f": at(170)}
        assert written(rewind(now, starts)) == [
            ("a", Position("150", -1)),
            ("d", Position("160", -1)),
            ("f", Position("170", -1)),
            ("b", HORIZON),
            ("c", HORIZON),
            ("e", HORIZON),
        ]

    @pytest.mark.parametrize("now", [FINISHED, CLEANED], ids=["finished", "cleaned away"])
    def test_parents_without_a_record_of_that_time_stay_away(self, now: dict[str, Lease]) -> None:
        made = rewind(now, {"a": NONE, "b": at(650), "c": NONE, "d": NONE, "e": at(750), "f": NONE})
        assert written(made) == [("b", Position("650", -1)), ("e", Position("750", -1))]
        assert set(made.kept) == {"a", "c", "d", "f"}

    def test_an_empty_shard_between_holds_its_child_back(self) -> None:
        made = rewind(self.CLEANED, {"a": at(150), "b": NONE, "c": NONE, "d": NONE, "e": NONE, "f": NONE})
        assert written(made) == [("a", Position("150", -1)), ("b", HORIZON), ("c", HORIZON), ("e", HORIZON)]

    def test_one_parent_of_a_merge_is_enough(self) -> None:
        made = rewind(self.FINISHED, {"a": NONE, "b": NONE, "c": NONE, "d": at(160), "e": at(600), "f": NONE})
        assert written(made) == [("d", Position("160", -1)), ("e", HORIZON)]

    def test_children_that_the_consumer_has_not_come_to_are_left_to_it(self) -> None:
        now = leases(a=Position("300"), d=Position("300"), f=Position("300"))
        made = rewind(now, {"a": at(150), "b": at(400), "c": at(400), "d": at(160), "e": at(600), "f": at(170)})
        assert [name for name, _ in written(made)] == ["a", "d", "f"]
        assert made.kept == {"b": TO_COME, "c": TO_COME, "e": TO_COME}

    def test_a_second_time_changes_nothing(self) -> None:
        starts = {"a": at(150), "b": at(400), "c": at(400), "d": at(160), "e": at(600), "f": at(170)}
        now = idle(**dict(written(rewind(self.CLEANED, starts))))
        assert rewind(now, starts) == Plan([], dict.fromkeys("abcdef", THERE))

    def test_an_interrupted_one_is_completed_by_a_second(self) -> None:
        starts = {"a": at(150), "b": at(400), "c": at(400), "d": at(160), "e": at(600), "f": at(170)}
        first = written(rewind(self.CLEANED, starts))
        now = {**self.CLEANED, **idle(**dict(first[:2]))}
        assert written(rewind(now, starts)) == first[2:]

    def test_a_child_whose_first_records_are_under_way_comes_again_after_its_parent(self) -> None:
        now = leases(a=END, b=HORIZON, e=Position("800"), f=Position("900"))
        made = rewind(now, {"a": at(150), "b": at(400), "c": at(400), "d": NONE, "e": NONE, "f": NONE})
        assert ("b", HORIZON) in written(made)

    def test_chosen_shards_move_alone(self) -> None:
        made = rewind(self.FINISHED, {"a": at(150)}, whole=False)
        assert made == Plan(made.moves, {})
        assert written(made) == [("a", Position("150", -1))]

    def test_from_the_horizon_every_parent_comes_again(self) -> None:
        made = rewind(self.CLEANED, dict.fromkeys("abcdef", Start(HORIZON, None)))
        assert written(made) == [(name, HORIZON) for name in "adfbce"]

    def test_at_the_tip_children_to_come_get_a_lease(self) -> None:
        now = leases(a=Position("300"), d=Position("300"), f=Position("300"))
        made = rewind(now, dict.fromkeys("abdef", Start(TIP, None)), allow_skip=True)
        assert written(made) == [(name, TIP) for name in "adfbe"]

    def test_parents_are_of_an_earlier_generation(self) -> None:
        made = rewind(self.CLEANED, dict.fromkeys("abcdef", Start(HORIZON, None)))
        generations = {move.shard.id: move.generation for move in made.moves}
        assert generations == {"a": 0, "d": 0, "f": 0, "b": 1, "c": 1, "e": 2}


OTHERS: dict[str, dict[str, tuple[str, ...]]] = {
    "merged, then split": {"a": (), "b": (), "c": ("a", "b"), "d": ("c",), "e": ("c",)},
    "split twice": {"a": (), "b": ("a",), "c": ("a",), "d": ("b",), "e": ("b",)},
    "split, merged, split": {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",), "f": ("d",)},
    "merged twice": {"a": (), "b": (), "c": (), "d": ("a", "b"), "e": ("c", "d")},
}


class TestOtherLineages:
    """What descends from a shard that is read again comes again, whatever reshards there were."""

    @pytest.mark.parametrize("lineage", OTHERS.values(), ids=OTHERS)
    @pytest.mark.parametrize("parents", ["finished", "cleaned away"])
    def test_descendants_come_again_after_their_parents(
        self, lineage: dict[str, tuple[str, ...]], parents: str
    ) -> None:
        closed = {parent for found in lineage.values() for parent in found}
        shards = {
            name: Shard(name, found, ("0", "9"), "100", "999" if name in closed else None)
            for name, found in lineage.items()
        }
        now = leases(**{name: Position("1500") for name in shards if name not in closed})
        if parents == "finished":
            now |= leases(**dict.fromkeys(closed, END))
        starts = {name: at(150) if name == "a" else at(1200) for name in shards}

        order = [move.shard.id for move in plan(shards, now, starts, False, True).moves]
        targets = {move.shard.id: move.target for move in plan(shards, now, starts, False, True).moves}

        assert targets["a"] == Position("150", -1)
        below = {"a"}
        for name, found in lineage.items():
            if below & set(found):
                below.add(name)
                assert targets[name] == HORIZON
            elif name != "a":
                assert targets[name] == Position("1200", -1)
        for name, found in lineage.items():
            assert all(order.index(parent) < order.index(name) for parent in found)


SPLIT_TWICE = {
    "a": Shard("a", (), ("0", "9"), "100", "199"),
    "b": Shard("b", ("a",), ("0", "4"), "200", "299"),
    "c": Shard("c", ("a",), ("5", "9"), "200", None),
    "d": Shard("d", ("b",), ("0", "4"), "300", None),
}


class TestTip:
    """A consumer that is two reshards behind: it reads a, and has not come to b and c, nor to b's child d."""

    def test_a_closed_shard_between_is_passed(self) -> None:
        """The library would begin it at its beginning when a is done, beside its child."""
        starts = {name: Start(END if name == "b" else TIP, None) for name in SPLIT_TWICE}
        made = plan(SPLIT_TWICE, idle(a=Position("150")), starts, True, False)
        assert written(made) == [("a", TIP), ("b", END), ("c", TIP), ("d", TIP)]

    def test_one_that_is_done_and_cleaned_away_gets_no_row(self) -> None:
        starts = {name: Start(END if name in "ab" else TIP, None) for name in SPLIT_TWICE}
        made = plan(SPLIT_TWICE, idle(c=Position("250"), d=Position("350")), starts, True, False)
        assert written(made) == [("c", TIP), ("d", TIP)]
        assert made.kept == {"a": DONE, "b": DONE}
