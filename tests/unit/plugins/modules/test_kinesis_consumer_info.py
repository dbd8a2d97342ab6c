# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock, call

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._lease_table import LeaseTable
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard, Stream
from ansible_collections.simple_analytics.pipeline.plugins.modules import kinesis_consumer_info

SHARDS = {name: Shard(name, (), ("0", "9"), "100", None) for name in "abc"}


def lease(shard: str, checkpoint: str, counter: int, owner: str | None = "worker", subsequence: int = 0) -> Lease:
    return Lease(shard, Position(checkpoint, subsequence), counter, owner, None, {})


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Mock:
    sleep = Mock()
    monkeypatch.setattr(kinesis_consumer_info, "time", Mock(spec_set=["sleep"], sleep=sleep))
    return sleep


@pytest.fixture
def stream() -> Mock:
    """Shard a holds a record that has waited for ten seconds."""
    fake = Mock(spec=Stream)
    fake.name = "events"
    fake.shards.return_value = SHARDS
    waiting = Record("201", datetime.now(UTC) - timedelta(seconds=10))
    fake.first.side_effect = lambda shard, start: waiting if shard == "a" else None
    return fake


def info(
    monkeypatch: pytest.MonkeyPatch, stream: Mock, *readings: list[Lease], watch_seconds: int = 5
) -> dict[str, t.Any]:
    """The only application, as one reading of its table after another shows it."""
    table = Mock(spec=LeaseTable, read=Mock(side_effect=[{each.shard: each for each in found} for found in readings]))
    table.name = "indexer"
    monkeypatch.setattr(kinesis_consumer_info, "LeaseTable", Mock(return_value=table))
    module = Mock(spec_set=["params", "check_mode", "warn", "deprecate"])
    module.params = {"applications": ["indexer"], "watch_seconds": watch_seconds}
    (application,) = kinesis_consumer_info.run(module, Mock(), stream)["applications"]
    found: dict[str, t.Any] = application
    return found


class TestRun:
    def test_each_shard_tells_who_reads_it_and_how_far(
        self, monkeypatch: pytest.MonkeyPatch, stream: Mock, sleep: Mock
    ) -> None:
        earlier = [lease("a", "200", 7), lease("b", "300", 4, "other"), lease("c", "SHARD_END", 9)]
        later = [lease("a", "200", 8), lease("b", "300", 5, None), lease("c", "SHARD_END", 9)]  # b was rewound
        found = info(monkeypatch, stream, earlier, later)
        sleep.assert_called_once_with(5)
        assert [(each["shard"], each["owner"], each["alive"]) for each in found["shards"]] == [
            ("a", "worker", True),
            ("b", None, False),
            ("c", "worker", None),
        ]
        assert (found["application"], found["workers"]) == ("indexer", ["worker"])
        assert found["totals"] == {"shards": 3, "finished": 1, "alive": 1, "silent": 1}
        lags = [each["lag"] for each in found["shards"]]
        assert lags == [pytest.approx(10000, abs=2000), 0, 0]
        assert found["lag"] == lags[0]

    @pytest.mark.usefixtures("sleep")
    def test_the_next_record_is_looked_for_behind_the_position(
        self, monkeypatch: pytest.MonkeyPatch, stream: Mock
    ) -> None:
        leases = [lease("a", "200", 7), lease("b", "300", 4, subsequence=-1), lease("c", "TRIM_HORIZON", 1)]
        info(monkeypatch, stream, leases, leases)
        # Shards are read side by side: their order is nobody's promise.
        stream.first.assert_has_calls(
            [
                call("a", {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "200"}),
                call("b", {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "300"}),
                call("c", {"ShardIteratorType": "TRIM_HORIZON"}),
            ],
            any_order=True,
        )

    @pytest.mark.usefixtures("sleep")
    def test_without_watching_nothing_is_said_of_who_is_alive(
        self, monkeypatch: pytest.MonkeyPatch, stream: Mock
    ) -> None:
        found = info(monkeypatch, stream, [lease("a", "200", 7)], watch_seconds=0)
        assert [each["alive"] for each in found["shards"]] == [None]
        assert found["workers"] == []

    def test_nobody_watches_for_less_than_no_time(self, monkeypatch: pytest.MonkeyPatch, stream: Mock) -> None:
        with pytest.raises(PipelineError, match="watch_seconds -1 is no time"):
            info(monkeypatch, stream, watch_seconds=-1)

    @pytest.mark.usefixtures("sleep")
    @pytest.mark.parametrize("checkpoint", ["AT_TIMESTAMP", "LATEST"])
    def test_a_consumer_that_has_done_nothing_yet_has_no_lag_that_is_known(
        self, checkpoint: str, monkeypatch: pytest.MonkeyPatch, stream: Mock
    ) -> None:
        found = info(monkeypatch, stream, [lease("a", checkpoint, 7)], [lease("a", checkpoint, 7)])
        assert (found["lag"], found["shards"][0]["lag"]) == (None, None)
        stream.first.assert_not_called()

    @pytest.mark.usefixtures("sleep")
    def test_a_consumer_of_another_stream_is_named(self, monkeypatch: pytest.MonkeyPatch, stream: Mock) -> None:
        with pytest.raises(PipelineError, match="'indexer' reads another stream than 'events': see z"):
            info(monkeypatch, stream, [lease("z", "200", 7)])

    @pytest.mark.usefixtures("sleep")
    def test_all_readers_of_the_stream_are_found(self, monkeypatch: pytest.MonkeyPatch, stream: Mock) -> None:
        table = Mock(spec=LeaseTable, read=Mock(return_value={"a": lease("a", "200", 7)}))
        table.name = "archiver"
        found = Mock(return_value=[table])
        monkeypatch.setattr(kinesis_consumer_info, "tables_of", found)
        module = Mock(spec_set=["params", "check_mode", "warn", "deprecate"])
        module.params = {"applications": None, "watch_seconds": 0}
        dynamodb = Mock()
        result = kinesis_consumer_info.run(module, dynamodb, stream)
        assert [each["application"] for each in result["applications"]] == ["archiver"]
        found.assert_called_once_with(dynamodb, stream, SHARDS)


def test_an_error_becomes_a_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(kinesis_consumer_info, "run", Mock(side_effect=PipelineError("Failed to do it: no.")))
    with patch_module_args({"stream": "events", "region": "us-east-1"}), pytest.raises(SystemExit):
        kinesis_consumer_info.main()
    result = json.loads(capsys.readouterr().out)
    assert (result["failed"], result["msg"]) == (True, "Failed to do it: no.")
