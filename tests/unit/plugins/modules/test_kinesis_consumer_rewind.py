# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock, call

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable, OvertakenError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position, Row
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard, Stream
from ansible_collections.simple_analytics.pipeline.plugins.modules import kinesis_consumer_rewind

NOW = datetime(2026, 11, 25, 14, tzinfo=UTC)
HORIZON = Position("TRIM_HORIZON")
# One shard that was closed, and its only child.
PARENT = Shard("shardId-000000000000", (), ("0", "9"), "100", "499")
CHILD = Shard("shardId-000000000001", ("shardId-000000000000",), ("0", "9"), "500", None)


def records(first: int, last: int, minutes_ago: int) -> list[Record]:
    """One of every fiftieth number, five minutes apart."""
    start = NOW - timedelta(minutes=minutes_ago)
    return [Record(str(number), start + timedelta(minutes=(number - first) / 10)) for number in range(first, last, 50)]


RECORDS = {PARENT.id: records(100, 500, 120), CHILD.id: records(500, 1000, 70)}


def row(shard: Shard, checkpoint: str, **attributes: str) -> Row:
    return {
        "leaseKey": {"S": shard.id},
        "checkpoint": {"S": checkpoint},
        "checkpointSubSequenceNumber": {"N": "0"},
        "leaseCounter": {"N": "17"},
        **{name: {"S": value} for name, value in attributes.items()},
    }


class FakeTable:
    """Keeps rows as the real one does, and counts its writes; after `dies_after` of them it fails."""

    name = "indexer"

    def __init__(self, *rows: Row, dies_after: int = 99) -> None:
        self.leases = {lease.shard: lease for lease in map(Lease.of, rows)}
        self.writes: list[tuple[str, Position | None]] = []
        self.dies_after = dies_after

    def read(self) -> dict[str, Lease]:
        return dict(self.leases)

    def place(self, shard: Shard, lease: Lease | None, position: Position, rewind: str) -> None:
        self._write(shard.id, position)
        changed = {**row(shard, position.checkpoint, rewindId=rewind)}
        changed["checkpointSubSequenceNumber"] = {"N": str(position.subsequence)}
        self.leases[shard.id] = Lease.of(changed)

    def remove(self, lease: Lease) -> None:
        self._write(lease.shard, None)
        del self.leases[lease.shard]

    def _write(self, shard: str, position: Position | None) -> None:
        if len(self.writes) == self.dies_after:
            raise PipelineError("the table is gone")
        self.writes.append((shard, position))

    def take(self, shard: Shard, checkpoint: str | None = None) -> None:
        """A worker takes the lease, and may come to a record."""
        changed = {**self.leases[shard.id].row, "leaseOwner": {"S": "worker"}}
        if checkpoint:
            changed.update(checkpoint={"S": checkpoint}, checkpointSubSequenceNumber={"N": "0"})
        self.leases[shard.id] = Lease.of(changed)


def reading(checkpoint: str = "900") -> FakeTable:
    """The table of a consumer that has finished the parent and reads the child."""
    return FakeTable(row(PARENT, "SHARD_END", leaseOwner="worker"), row(CHILD, checkpoint, leaseOwner="worker"))


@pytest.fixture
def stream() -> Mock:
    fake = Mock(spec=Stream)
    fake.name = "events"
    fake.first.return_value = None
    fake.retention.return_value = timedelta(hours=24)
    fake.shards.return_value = {PARENT.id: PARENT, CHILD.id: CHILD}
    fake.oldest.side_effect = lambda shard: RECORDS[shard][0]
    fake.first_since.side_effect = lambda shard, moment: next(
        (record for record in RECORDS[shard] if record.arrival >= moment), None
    )
    fake.numbered.side_effect = lambda shard, number: next(
        (record for record in RECORDS[shard] if record.sequence_number == number), None
    )
    return fake


Rewind = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def rewind(stream: Mock, tmp_path: Path) -> Rewind:
    def run(table: FakeTable, check_mode: bool = False, **params: object) -> dict[str, t.Any]:
        module = Mock(spec_set=["params", "check_mode", "warn", "deprecate"], check_mode=check_mode)
        module.params = {
            **dict.fromkeys(("position", "timestamp", "sequence_numbers", "shards", "resume", "restore")),
            "clamp": False,
            "allow_skip": False,
            "manifest": str(tmp_path / "manifest"),
            **params,
        }
        result: dict[str, t.Any] = kinesis_consumer_rewind.run(module, t.cast(LeaseTable, table), stream, NOW)
        return result

    return run


def at(timestamp: str) -> dict[str, str]:
    return {"position": "at_timestamp", "timestamp": timestamp}


class TestPositions:
    def test_a_time_in_the_child_leaves_the_parent(self, rewind: Rewind) -> None:
        table = reading()
        result = rewind(table, **at("60m"))
        assert table.writes == [(CHILD.id, Position("600", -1))]
        assert (result["changed"], result["kept"]) == (True, {PARENT.id: "no record of that time"})
        assert result["moves"] == [
            {
                "shard": CHILD.id,
                "before": {"checkpoint": "900", "time": "2026-11-25T13:30:00.000+00:00", "age": "30 min"},
                "after": {"checkpoint": "600", "time": "2026-11-25T13:00:00.000+00:00", "age": "1 h"},
            }
        ]

    def test_a_time_before_the_split_brings_the_parent_first(self, rewind: Rewind) -> None:
        table = reading()
        rewind(table, **at("2026-11-25T12:08:00Z"))
        assert table.writes == [(PARENT.id, Position("200", -1)), (CHILD.id, HORIZON)]

    def test_the_horizon(self, rewind: Rewind) -> None:
        table = reading()
        rewind(table, position="trim_horizon")
        assert table.writes == [(PARENT.id, HORIZON), (CHILD.id, HORIZON)]

    def test_a_record(self, rewind: Rewind) -> None:
        table = reading()
        rewind(table, position="sequence_numbers", sequence_numbers={CHILD.id: "550"})
        assert table.writes == [(CHILD.id, Position("550", -1))]

    def test_a_record_whose_number_stands_without_quotes(self, rewind: Rewind) -> None:
        table = reading()
        rewind(table, position="sequence_numbers", sequence_numbers={CHILD.id: 550})
        assert table.writes == [(CHILD.id, Position("550", -1))]

    def test_the_tip(self, rewind: Rewind) -> None:
        table = reading()
        result = rewind(table, position="latest", allow_skip=True)
        assert table.writes == [(CHILD.id, Position("LATEST"))]
        assert result["kept"] == {}

    def test_chosen_shards_only(self, rewind: Rewind) -> None:
        table = reading()
        rewind(table, position="trim_horizon", shards=[PARENT.id])
        assert table.writes == [(PARENT.id, HORIZON)]

    def test_a_time_before_the_retention_period_when_clamped(self, rewind: Rewind, stream: Mock) -> None:
        rewind(reading(), **at("2d"), clamp=True)
        assert call(PARENT.id, NOW - timedelta(hours=24)) in stream.first_since.call_args_list


class TestReshard:
    def test_a_child_that_was_begun_before_its_parent_was_written_comes_again(
        self, rewind: Rewind, stream: Mock, tmp_path: Path
    ) -> None:
        table = FakeTable(row(PARENT, "400", leaseOwner="worker"))
        stream.shards.side_effect = [{PARENT.id: PARENT}, *[{PARENT.id: PARENT, CHILD.id: CHILD}] * 2]
        place = table.place

        def overtake(shard: Shard, lease: Lease | None, position: Position, rewind: str) -> None:
            if shard == PARENT:
                table.leases[CHILD.id] = Lease.of(row(CHILD, "600", leaseOwner="worker"))
            place(shard, lease, position, rewind)

        table.place = overtake  # type: ignore[method-assign]
        result = rewind(table, position="trim_horizon")
        assert table.writes == [(PARENT.id, HORIZON), (CHILD.id, HORIZON)]
        assert [move["shard"] for move in result["moves"]] == [PARENT.id, CHILD.id]
        assert result["states"] == {PARENT.id: "written", CHILD.id: "written"}
        stream.shards.side_effect = None
        restored = rewind(table, restore=str(tmp_path / "manifest"))
        assert [move["after"]["checkpoint"] for move in restored["moves"]] == ["400", "600"]

    def test_a_child_that_nobody_has_begun_stays(self, rewind: Rewind, stream: Mock) -> None:
        table = FakeTable(row(PARENT, "400", leaseOwner="worker"))
        rewind(table, position="trim_horizon")
        assert table.writes == [(PARENT.id, HORIZON)]


class TestRefusals:
    @pytest.mark.parametrize(
        "params, told",
        [
            (at("25h"), "'25h' is older than what the stream keeps, 1 d. .* 2026-11-24T14:00:00Z, which clamp=true"),
            (at("2026-11-25T15:00:00Z"), "lies 1 h in the future"),
            (at("noon"), "'noon' is no time"),
            ({"position": "latest"}, "needs allow_skip=true"),
            ({"position": "trim_horizon", "shards": ["shardId-7"]}, "shards: the stream has no 'shardId-7'. .*000001"),
            ({"position": "trim_horizon", "shards": []}, "shards: it names none. The stream has"),
            ({"position": "trim_horizon", "shards": [""]}, "shards: the stream has no ''. The stream has"),
            ({"position": "sequence_numbers", "sequence_numbers": {}}, "sequence_numbers: it names none. The"),
            (
                {"position": "sequence_numbers", "sequence_numbers": {CHILD.id: "551"}},
                f"{CHILD.id} has no record 551, and would end there",
            ),
            ({"position": "sequence_numbers", "sequence_numbers": {"x": "551"}}, "the stream has no 'x'"),
            (
                {"position": "sequence_numbers", "sequence_numbers": {CHILD.id: 5.5}},
                f"'5.5' of {CHILD.id} is no sequence number",
            ),
            ({"position": "trim_horizon", "timestamp": "2h"}, "timestamp=2h goes with position=at_timestamp only"),
            ({**at("2h"), "sequence_numbers": {CHILD.id: "550"}}, "goes with position=sequence_numbers only"),
            ({"position": "trim_horizon", "clamp": True}, "clamp=True goes with position=at_timestamp only"),
            ({"resume": "/manifest", "shards": [CHILD.id]}, "goes with position=trim_horizon or position=latest or"),
            ({"restore": "/manifest", "allow_skip": True}, "allow_skip=True goes with position=trim_horizon or"),
        ],
    )
    def test_what_cannot_be_is_refused_before_anything_is_written(
        self, params: dict[str, t.Any], told: str, rewind: Rewind, tmp_path: Path
    ) -> None:
        table = reading()
        with pytest.raises(PipelineError, match=told):
            rewind(table, **params)
        assert (table.writes, list(tmp_path.iterdir())) == ([], [])

    @pytest.mark.parametrize(
        "table, told",
        [
            (FakeTable(), "'indexer' has no leases yet"),
            (FakeTable(row(CHILD, "499")), f"'indexer' reads another stream than 'events': see {CHILD.id}"),
            (FakeTable(row(Shard("shardId-9", (), ("0", "9"), "1", None), "LATEST")), "see shardId-9"),
        ],
    )
    def test_a_table_that_is_not_of_this_stream(self, table: FakeTable, told: str, rewind: Rewind) -> None:
        with pytest.raises(PipelineError, match=told):
            rewind(table, position="trim_horizon")
        assert table.writes == []

    def test_a_number_that_kinesis_does_not_know_is_another_streams(self, rewind: Rewind, stream: Mock) -> None:
        table = reading()
        stream.takes.return_value = False
        with pytest.raises(PipelineError, match=f"'indexer' reads another stream than 'events': see {CHILD.id}"):
            rewind(table, **at("60m"))
        assert table.writes == []

    @pytest.mark.parametrize("owner", [{}, {"leaseOwner": "worker"}], ids=["not begun", "begun"])
    def test_a_place_that_only_the_consumer_knows_may_lie_on_either_side(
        self, owner: dict[str, str], rewind: Rewind
    ) -> None:
        table = FakeTable(row(PARENT, "SHARD_END"), row(CHILD, "AT_TIMESTAMP", **owner))
        with pytest.raises(PipelineError, match=f"{CHILD.id}: the consumer begins at a time that its own"):
            rewind(table, **at("60m"))
        assert table.writes == []
        rewind(table, **at("60m"), allow_skip=True)
        assert table.writes == [(CHILD.id, Position("600", -1))]

    def test_the_beginning_lies_before_any_such_place(self, rewind: Rewind) -> None:
        table = FakeTable(row(PARENT, "SHARD_END"), row(CHILD, "AT_TIMESTAMP"))
        rewind(table, position="trim_horizon")
        assert (CHILD.id, HORIZON) in table.writes


class TestCheckMode:
    def test_it_says_the_same_and_writes_nothing(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        foretold = rewind(table, check_mode=True, **at("60m"))
        assert (table.writes, list(tmp_path.iterdir())) == ([], [])
        assert foretold["changed"]
        assert foretold["summary"] == "1 shards to move: 0 written, 0 taken again, 0 moved on"
        done = rewind(table, **at("60m"))
        assert (foretold["moves"], foretold["diff"]) == (done["moves"], done["diff"])

    def test_the_diff_has_a_line_for_each_shard(self, rewind: Rewind) -> None:
        table = FakeTable(row(CHILD, "900"))
        assert rewind(table, check_mode=True, position="trim_horizon")["diff"] == {
            "before": f"{PARENT.id}  no lease\n{CHILD.id}  900  2026-11-25T13:30:00.000+00:00  30 min ago\n",
            "after": (
                f"{PARENT.id}  TRIM_HORIZON  2026-11-25T12:00:00.000+00:00  2 h ago\n"
                f"{CHILD.id}  TRIM_HORIZON  2026-11-25T12:50:00.000+00:00  1 h 10 min ago\n"
            ),
        }

    def test_the_diff_shows_what_its_worker_delivers_once_more(self, rewind: Rewind) -> None:
        table = FakeTable(row(PARENT, "SHARD_END"), row(CHILD, "550", leaseOwner="worker"))
        result = rewind(table, check_mode=True, **at("60m"))
        stands = f"{CHILD.id}  550  2026-11-25T12:55:00.000+00:00  1 h 5 min ago"
        assert result["diff"] == {"before": f"{stands}\n", "after": f"{stands}  once more\n"}


class TestAgain:
    def test_a_second_run_changes_nothing(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, **at("2026-11-25T12:08:00Z"))
        second = rewind(table, **at("2026-11-25T12:08:00Z"), manifest=str(tmp_path / "second"))
        assert (second["changed"], second["moves"], len(table.writes)) == (False, [], 2)
        assert not (tmp_path / "second").exists()

    def test_a_killed_one_is_completed(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        table.dies_after = 1
        manifest = tmp_path / "manifest"
        with pytest.raises(PipelineError, match=f"gone 1 of 2 shards are written: resume={manifest} writes the rest"):
            rewind(table, position="trim_horizon")
        table.dies_after = 99
        result = rewind(table, resume=str(tmp_path / "manifest"))
        assert table.writes == [(PARENT.id, HORIZON), (CHILD.id, HORIZON)]
        assert [move["shard"] for move in result["moves"]] == [CHILD.id]
        assert rewind(table, resume=str(tmp_path / "manifest"))["changed"] is False

    def test_it_is_restored_in_reverse(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, position="trim_horizon")
        del table.writes[:]
        result = rewind(table, restore=str(tmp_path / "manifest"))
        assert table.writes == [(CHILD.id, Position("900")), (PARENT.id, Position("SHARD_END"))]
        assert (result["changed"], result["summary"]) == (True, "2 shards put back to where they were")
        assert [move["after"]["checkpoint"] for move in result["moves"]] == ["SHARD_END", "900"]
        assert rewind(table, restore=str(tmp_path / "manifest"))["changed"] is False

    def test_rows_that_were_made_go(self, rewind: Rewind, tmp_path: Path) -> None:
        table = FakeTable(row(CHILD, "900"))
        rewind(table, position="trim_horizon")
        rewind(table, restore=str(tmp_path / "manifest"))
        assert table.writes[2:] == [(CHILD.id, Position("900")), (PARENT.id, None)]

    def test_a_row_that_the_library_removed_since_is_named(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, position="trim_horizon")
        del table.leases[PARENT.id]
        result = rewind(table, restore=str(tmp_path / "manifest"))
        assert result["kept"] == {PARENT.id: "its consumer has read it to its end, and its row is gone"}
        assert result["summary"] == "1 shards put back to where they were"

    def test_a_read_that_fails_comes_before_the_first_write(self, rewind: Rewind, stream: Mock) -> None:
        table = reading()
        stream.numbered.side_effect = PipelineError("too many reads")
        with pytest.raises(PipelineError, match="too many reads"):
            rewind(table, **at("60m"))
        assert table.writes == []

    def test_a_read_that_fails_after_the_writes_says_how_to_go_on(
        self, rewind: Rewind, stream: Mock, tmp_path: Path
    ) -> None:
        table = reading()
        stream.shards.side_effect = [stream.shards.return_value, PipelineError("too many reads.")]
        with pytest.raises(PipelineError, match=f"reads. 2 of 2 shards are written: resume={tmp_path / 'manifest'} "):
            rewind(table, position="trim_horizon")
        assert len(table.writes) == 2

    def test_a_check_of_it_writes_nothing(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, position="trim_horizon")
        result = rewind(table, restore=str(tmp_path / "manifest"), check_mode=True)
        assert (result["changed"], len(table.writes)) == (True, 2)

    def test_what_a_later_rewind_placed_is_not_restored(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, **at("60m"))
        rewind(table, position="trim_horizon", manifest=str(tmp_path / "later"))
        with pytest.raises(PipelineError, match=f"Another rewind of 'indexer' came later and placed {CHILD.id}"):
            rewind(table, restore=str(tmp_path / "manifest"))

    def test_it_is_restored_once_the_later_one_is(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, **at("60m"))
        rewind(table, position="trim_horizon", manifest=str(tmp_path / "later"))
        rewind(table, restore=str(tmp_path / "later"))
        rewind(table, restore=str(tmp_path / "manifest"))
        assert table.leases[CHILD.id].position == Position("900")
        assert rewind(table, restore=str(tmp_path / "manifest"))["changed"] is False

    def test_one_that_is_gone_on_with_takes_in_what_a_worker_began_meanwhile(
        self, rewind: Rewind, tmp_path: Path
    ) -> None:
        table = FakeTable(row(PARENT, "300", leaseOwner="worker"), dies_after=0)
        with pytest.raises(PipelineError, match="the table is gone"):
            rewind(table, position="trim_horizon")
        table.dies_after = 99
        table.leases[CHILD.id] = Lease.of(row(CHILD, "TRIM_HORIZON", leaseOwner="worker"))
        rewind(table, resume=str(tmp_path / "manifest"))
        assert table.writes == [(PARENT.id, HORIZON), (CHILD.id, HORIZON)]

    def test_children_that_come_after_their_parents_are_left_alone(self, rewind: Rewind, tmp_path: Path) -> None:
        table = FakeTable(row(PARENT, "300", leaseOwner="worker"))
        rewind(table, position="trim_horizon")
        table.leases[CHILD.id] = Lease.of(row(CHILD, "700", leaseOwner="worker"))
        assert rewind(table, resume=str(tmp_path / "manifest"))["changed"] is False
        assert table.writes == [(PARENT.id, HORIZON)]

    @pytest.mark.parametrize("written", [0, 1])
    def test_one_that_was_put_back_cannot_go_on(self, written: int, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        table.dies_after = written
        with pytest.raises(PipelineError):
            rewind(table, position="trim_horizon")
        table.dies_after = 99
        rewind(table, restore=str(tmp_path / "manifest"))
        assert len(table.writes) == 2 * written
        del table.writes[:]
        with pytest.raises(PipelineError, match="was put back, so it cannot go on"):
            rewind(table, resume=str(tmp_path / "manifest"))
        assert table.writes == []

    def test_what_a_killed_one_has_left_running_ends_at_a_restore(self, rewind: Rewind, tmp_path: Path) -> None:
        table, manifest = reading(), str(tmp_path / "manifest")
        place = table.place

        def late(*arguments: t.Any) -> None:  # noqa: ANN401 - of several types
            place(*arguments)
            table.place = place  # type: ignore[method-assign]
            rewind(table, restore=manifest)

        table.place = late  # type: ignore[method-assign, assignment]
        with pytest.raises(PipelineError, match="was put back, so it cannot go on"):
            rewind(table, position="trim_horizon")
        assert table.leases[PARENT.id].position == Position("SHARD_END")
        assert table.leases[CHILD.id].position == Position("900")

    def test_one_that_another_has_overtaken_does_not_say_resume(self, rewind: Rewind) -> None:
        table = reading()

        def taken(shard: Shard, *_: object) -> None:
            raise OvertakenError(f"another one has placed {shard.id} meanwhile.")

        table.place = taken  # type: ignore[method-assign, assignment]
        with pytest.raises(PipelineError) as error:
            rewind(table, position="trim_horizon")
        assert str(error.value).endswith("meanwhile. 0 of 2 shards are written.")

    def test_a_restore_that_was_killed_is_completed_by_another(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, position="trim_horizon")
        table.dies_after = 3
        with pytest.raises(PipelineError):
            rewind(table, restore=str(tmp_path / "manifest"))
        table.dies_after = 99
        rewind(table, restore=str(tmp_path / "manifest"))
        assert table.leases[PARENT.id].position == Position("SHARD_END")

    def test_one_that_was_overtaken_is_over(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        rewind(table, **at("60m"))
        rewind(table, position="trim_horizon", manifest=str(tmp_path / "later"))
        with pytest.raises(PipelineError, match=f"Another rewind of 'indexer', .*, has placed {CHILD.id} since"):
            rewind(table, resume=str(tmp_path / "manifest"))


class TestProgress:
    def test_each_state_includes_those_before(self, rewind: Rewind, tmp_path: Path) -> None:
        table = reading()
        assert rewind(table, **at("60m"))["states"] == {CHILD.id: "written"}
        resume = str(tmp_path / "manifest")
        table.take(CHILD)
        assert rewind(table, resume=resume)["states"] == {CHILD.id: "taken"}
        table.take(CHILD, "650")
        result = rewind(table, resume=resume)
        assert (result["states"], result["done"]) == ({CHILD.id: "moved"}, True)
        assert result["summary"] == "1 shards to move: 1 written, 1 taken again, 1 moved on"

    def test_a_worker_that_begins_again_where_it_stood_moves_on_as_well(
        self, rewind: Rewind, stream: Mock, tmp_path: Path
    ) -> None:
        table = FakeTable(row(PARENT, "SHARD_END"), row(CHILD, "550", leaseOwner="worker"))
        stream.first.side_effect = lambda shard, start: Record("600", NOW) if start else None
        rewind(table, **at("60m"))
        resume = str(tmp_path / "manifest")
        table.take(CHILD)
        assert (rewind(table, resume=resume)["states"], rewind(table, resume=resume)["done"]) == (
            {CHILD.id: "taken"},
            False,
        )
        table.take(CHILD, "600")
        assert rewind(table, resume=resume)["done"]

    def test_a_look_says_how_far_the_consumer_is_behind(self, rewind: Rewind, stream: Mock, tmp_path: Path) -> None:
        table = reading()
        assert "lag" not in rewind(table, **at("60m"))
        stream.first.return_value = Record("600", datetime.now(UTC) - timedelta(hours=1))
        assert rewind(table, resume=str(tmp_path / "manifest"))["lag"] == pytest.approx(3_600_000, abs=5000)


def main(capsys: pytest.CaptureFixture[str], **params: object) -> dict[str, t.Any]:
    given = {"application": "indexer", "stream": "events", "region": "us-east-1", **params}
    with patch_module_args(given), pytest.raises(SystemExit):
        kinesis_consumer_rewind.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


class TestMain:
    @pytest.mark.parametrize(
        "params, told",
        [
            ({}, "one of the following is required: position, resume, restore"),
            ({"position": "latest", "resume": "/x"}, "mutually exclusive: position|resume|restore"),
            ({"position": "at_timestamp", "manifest": "/x"}, "all of the following are missing: timestamp"),
            ({"position": "sequence_numbers", "manifest": "/x"}, "all of the following are missing: sequence_numbers"),
            ({"position": "trim_horizon"}, "manifest is required with position"),
            ({"position": "yesterday"}, "value of position must be one of"),
        ],
    )
    def test_what_it_needs(self, params: dict[str, t.Any], told: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert told in main(capsys, **params)["msg"]

    def test_an_error_becomes_a_message(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(kinesis_consumer_rewind, "run", Mock(side_effect=PipelineError("Failed to do it: no.")))
        result = main(capsys, position="trim_horizon", manifest="/x")
        assert (result["failed"], result["msg"]) == (True, "Failed to do it: no.")
