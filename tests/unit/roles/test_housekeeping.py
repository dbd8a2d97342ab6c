# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from elastic_transport import Transport

PROGRAM = Path(__file__).resolve().parents[3] / "roles" / "elasticsearch" / "files" / "housekeeping.py"
spec = importlib.util.spec_from_file_location("housekeeping", PROGRAM)
assert spec
assert spec.loader
housekeeping = importlib.util.module_from_spec(spec)
spec.loader.exec_module(housekeeping)

TODAY = date(2026, 11, 28)
REPOSITORY = "/_snapshot/backup"


class Cluster:
    """Knows indices and snapshots, and remembers what it was told to do."""

    def __init__(
        self, *indices: str, state: str = "SUCCESS", snapshots: tuple[str, ...] = (), broken: str = ""
    ) -> None:
        self.indices, self.state = indices, state
        self.snapshots = dict.fromkeys(snapshots, (30, "SUCCESS")) | ({broken: (30, "PARTIAL")} if broken else {})
        self.told: list[tuple[str, str]] = []
        self.busy = 0  # how often a snapshot is still in the way

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, unless: str = ""
    ) -> dict[str, Any] | None:
        if unless == "snapshot_in_progress_exception" and self.busy:
            self.busy -= 1
            return None
        if method != "GET":
            self.told.append((method, path))
            if body is not None:
                assert unless
                self.snapshots[path.removeprefix(f"{REPOSITORY}/")] = (len(self.indices), self.state)
            return {}
        if path.startswith("/_resolve"):
            return {"indices": [{"name": index} for index in self.indices]}
        wanted = path.removeprefix(f"{REPOSITORY}/")
        found = {name: known for name, known in self.snapshots.items() if wanted in ("*", name)}
        return {
            "snapshots": [
                {"snapshot": name, "state": state, "failures": ["why"], "indices": ["a"] * count}
                for name, (count, state) in found.items()
            ]
        }


def of(day: str, number: str = "") -> str:
    return f"simple-analytics-events-{day}{number}"


class TestAsk:
    """What is made of the cluster's answers."""

    def ask(self, monkeypatch: pytest.MonkeyPatch, status: int, method: str, **arguments: str) -> tuple[Any, Mock]:
        answer = Mock(meta=Mock(status=status), body={"error": {"type": "why"}})
        transport = Mock(spec=Transport, **{"perform_request.return_value": answer})
        monkeypatch.setattr(housekeeping, "Transport", Mock(return_value=transport))
        cluster = housekeeping.Cluster("https://192.0.2.1:9200", "ca.crt", "housekeeper", "password")
        return cluster.ask(method, "/a", **arguments), transport.perform_request

    def test_what_is_gone_when_it_is_to_go_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ask(monkeypatch, 404, "DELETE")

    @pytest.mark.parametrize("status, method", [(404, "GET"), (400, "DELETE"), (403, "DELETE")])
    def test_any_other_refusal_is_one(self, monkeypatch: pytest.MonkeyPatch, status: int, method: str) -> None:
        with pytest.raises(SystemExit, match=f"Failed to {method} /a: {status} .*why"):
            self.ask(monkeypatch, status, method)

    def test_an_error_that_is_expected_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.ask(monkeypatch, 400, "DELETE", unless="why")[0] is None

    @pytest.mark.parametrize("method, seconds", [("GET", 60), ("DELETE", 12 * 3600)])
    def test_a_removal_may_take_as_long_as_a_snapshot(
        self, monkeypatch: pytest.MonkeyPatch, method: str, seconds: int
    ) -> None:
        assert self.ask(monkeypatch, 200, method)[1].call_args.kwargs["request_timeout"] == seconds


class TestRetention:
    def test_a_day_goes_when_as_many_as_stay_lie_after_it(self) -> None:
        indices = [of("2026.11.25"), of("2026.11.26"), of("2026.11.28"), of("2026.11.30")]
        assert housekeeping.over(indices, TODAY, 2) == [of("2026.11.25")]

    def test_what_a_reindex_made_of_it_goes_too(self) -> None:
        indices = [of("2026.11.20", "-000000"), of("2026.11.20", "-000001")]
        assert housekeeping.over(indices, TODAY, 1) == indices

    @pytest.mark.parametrize(
        "index", ["simple-analytics-events-2026.11", "other-2026.01.01", of("2026.01.01", "-mine"), of("2026.01.45")]
    )
    def test_other_names_stay(self, index: str) -> None:
        assert housekeeping.over([index], TODAY, 1) == []

    def test_each_is_deleted_by_its_name(self) -> None:
        cluster = Cluster(of("2026.11.01"), of("2026.11.28"))
        assert housekeeping.retain(cluster, TODAY, 7, check=False) == [f"{of('2026.11.01')} removed"]
        assert cluster.told == [("DELETE", f"/{of('2026.11.01')}?ignore_unavailable=true")]

    def test_it_waits_for_a_snapshot_and_says_so_once(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pause = Mock()
        monkeypatch.setattr(housekeeping.time, "sleep", pause)
        cluster = Cluster(of("2026.11.01"))
        cluster.busy = 2
        assert housekeeping.retain(cluster, TODAY, 7, check=False) == [f"{of('2026.11.01')} removed"]
        assert capsys.readouterr().out == f"{of('2026.11.01')} waits for the end of a snapshot that reads it\n"
        assert pause.call_count == 2

    def test_it_does_not_wait_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(housekeeping, "time", Mock(monotonic=Mock(side_effect=[0, 0, 12 * 3600 + 1])))
        cluster = Cluster(of("2026.11.01"))
        cluster.busy = 9
        with pytest.raises(SystemExit, match=f"still reads {of('2026.11.01')} after 12 hours; it goes next time"):
            housekeeping.retain(cluster, TODAY, 7, check=False)

    def test_a_check_deletes_nothing(self) -> None:
        cluster = Cluster(of("2026.11.01"))
        assert housekeeping.retain(cluster, TODAY, 7, check=True) == [f"{of('2026.11.01')} would be removed"]
        assert cluster.told == []


DAYS = tuple(of(f"2026.11.{day:02}") for day in range(1, 29))


class TestSnapshot:
    def test_one_a_day_and_the_oldest_goes(self) -> None:
        cluster = Cluster(*DAYS, snapshots=(of("2026.11.26"), of("2026.11.27"), "by-hand"))
        said = housekeeping.snapshot(cluster, of("2026.11.28"), "backup", 2, check=False)
        assert said == [f"{of('2026.11.28')} taken", f"{of('2026.11.26')} removed"]
        assert cluster.told == [
            ("PUT", f"{REPOSITORY}/{of('2026.11.28')}"),
            ("DELETE", f"{REPOSITORY}/{of('2026.11.26')}"),
        ]

    def test_the_second_of_a_day_is_none(self) -> None:
        cluster = Cluster(*DAYS, snapshots=(of("2026.11.28"),))
        assert housekeeping.snapshot(cluster, of("2026.11.28"), "backup", 2, check=False) == []
        assert cluster.told == []

    def test_a_check_takes_none(self) -> None:
        cluster = Cluster(*DAYS, snapshots=(of("2026.11.27"),))
        said = housekeeping.snapshot(cluster, of("2026.11.28"), "backup", 1, check=True)
        assert said == [f"{of('2026.11.28')} would be taken", f"{of('2026.11.27')} would be removed"]
        assert cluster.told == []

    def test_one_that_failed_is_an_error_and_removes_none(self) -> None:
        cluster = Cluster(*DAYS, state="PARTIAL", snapshots=(of("2026.11.27"),))
        with pytest.raises(SystemExit, match=f"{of('2026.11.28')} is PARTIAL, and is taken anew next time: .*why"):
            housekeeping.snapshot(cluster, of("2026.11.28"), "backup", 1, check=False)
        assert [method for method, _ in cluster.told] == ["PUT"]

    def test_one_that_is_not_whole_is_taken_anew_and_does_not_count(self) -> None:
        cluster = Cluster(*DAYS, snapshots=(of("2026.11.27"),), broken=of("2026.11.28"))
        said = housekeeping.snapshot(cluster, of("2026.11.28"), "backup", 2, check=False)
        assert said == [f"{of('2026.11.28')} is PARTIAL and removed", f"{of('2026.11.28')} taken"]

    def test_none_goes_while_the_last_lacks_most_of_what_was_there(self) -> None:
        cluster = Cluster(of("2026.11.28"), snapshots=(of("2026.11.26"), of("2026.11.27")))
        assert housekeeping.snapshot(cluster, of("2026.11.28"), "backup", 1, check=False) == [
            f"{of('2026.11.28')} taken"
        ]

    def test_one_more_of_the_day_is_sorted_after_it(self) -> None:
        name = housekeeping.named(TODAY, "before-upgrade")
        assert of("2026.11.28") == housekeeping.named(TODAY, "") < name < of("2026.11.29")

    def test_what_can_be_no_name_is_refused(self) -> None:
        with pytest.raises(SystemExit, match="'Before Upgrade' is no label"):
            housekeeping.named(TODAY, "Before Upgrade")
