# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner's counts: what fails, dies or skips must show in the last line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run import PARTS, ROOT, Part, junit_counts, run, run_all, select


@pytest.mark.parametrize(
    "attributes, expected",
    [
        ('tests="5" failures="0" errors="0" skipped="0"', (5, 0)),
        ('tests="5" failures="1" errors="1" skipped="0"', (3, 2)),
        ('tests="5" failures="0" errors="0" skipped="2"', (3, 2)),
    ],
)
def test_errors_and_skips_count_as_failed(tmp_path: Path, attributes: str, expected: tuple[int, int]) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite {attributes}/></testsuites>")

    assert junit_counts(report) == expected


@pytest.mark.parametrize("command, expected", [("true", (1, 0)), ("false", (0, 1)), ("pytest no/such/folder", (0, 1))])
def test_a_part_counts_by_its_exit_code_when_it_leaves_no_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, expected: tuple[int, int]
) -> None:
    monkeypatch.setattr("tests.run.REPORTS", tmp_path)

    outcome = run(Part("part", command, 1), live=True)

    assert (outcome.passed, outcome.failed) == expected


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(SystemExit, match="No such part: nonsense"):
        select(["nonsense"])


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_contributing_tells_what_each_part_may_take(part: Part) -> None:
    row = f"| {part.name} | {part.minutes} | {'yes' if part.fast else ''} |"

    assert row in (ROOT / "CONTRIBUTING.md").read_text().splitlines()


def test_each_part_shows_what_it_said_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.run.REPORTS", tmp_path)
    parts = [Part("good", "echo fine", 1), Part("bad", "echo wrong >&2; false", 2)]

    outcomes = run_all(parts)

    assert [(outcome.name, outcome.failed) for outcome in outcomes] == [("good", 0), ("bad", 1)]
    said = capsys.readouterr().out
    assert "== good ended after 0 s\nfine\n" in said
    assert "== bad ended after 0 s\nwrong\n" in said


def test_nothing_runs_beside_a_part_that_runs_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.run.REPORTS", tmp_path)
    # Each fails where another has the machine.
    take = f"mkdir {tmp_path}/machine && sleep 0.2 && rmdir {tmp_path}/machine"
    parts = [Part("unit", take, 1), *(Part(name, take, 1, alone=True) for name in ("demo", "stop"))]

    assert [outcome.failed for outcome in run_all(parts)] == [0, 0, 0]


def test_what_runs_beside_another_part_runs_while_that_one_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.run.REPORTS", tmp_path)
    # Each waits for the other.
    meet = "mkfifo -m 600 {0}/meeting 2>/dev/null; echo > {0}/meeting"
    guest = Part("conformance", meet.format(tmp_path), 1, alone=True, beside="e2e")
    parts = [guest, Part("e2e", f"until read < {tmp_path}/meeting; do :; done 2>/dev/null", 1, alone=True)]

    assert [(outcome.name, outcome.failed) for outcome in run_all(parts)] == [("e2e", 0), ("conformance", 0)]
    assert run_all([Part("alone", "true", 1, alone=True, beside="e2e")])[0].failed == 0
