# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.simple_analytics.pipeline.plugins.modules import file_set


def run_main(capsys: pytest.CaptureFixture[str], check: bool = False, **params: object) -> dict[str, Any]:
    with patch_module_args({**params, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
        file_set.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One file as wanted, one with another text, and what an earlier set left."""
    (tmp_path / "own" / "gone").mkdir(parents=True)
    (tmp_path / "own" / "kept").write_text("kept")
    (tmp_path / "own" / "other").write_text("before")
    (tmp_path / "own" / "gone" / "stale").write_text("stale")
    return tmp_path


def wanted(tree: Path) -> dict[str, Any]:
    files = {"own/kept": "kept", "own/other": "after", "own/new/file": "new", "elsewhere/file": "there"}
    return {
        "files": {str(tree / name): text for name, text in files.items()},
        "folders": [str(tree / "own")],
        "mode": "0640",
    }


def texts(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


class TestRun:
    def test_writes_what_differs_and_removes_what_is_strange(
        self, tree: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        result = run_main(capsys, **wanted(tree))
        assert texts(tree) == {
            "own/kept": "kept",
            "own/other": "after",
            "own/new/file": "new",
            "elsewhere/file": "there",
        }
        assert not (tree / "own" / "gone").exists()
        assert result["removed"] == [str(tree / "own" / "gone" / "stale"), str(tree / "own" / "gone")]
        assert (tree / "own" / "new" / "file").stat().st_mode & 0o777 == 0o640

    def test_second_run_changes_nothing(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run_main(capsys, **wanted(tree))
        again = run_main(capsys, **wanted(tree))
        assert (again["changed"], again["written"], again["removed"], again["diff"]) == (False, [], [], [])

    def test_what_was_there_before_can_be_brought_back(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = texts(tree)
        done = run_main(capsys, **wanted(tree))
        run_main(capsys, **{**wanted(tree), "files": done["former"]})
        after = texts(tree)
        # It lay in no folder of the set, so nobody may remove it.
        assert after.pop("elsewhere/file") == "there"
        assert after == before

    def test_another_mode_is_a_change(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run_main(capsys, **wanted(tree))
        (tree / "own" / "kept").chmod(0o666)
        assert run_main(capsys, **wanted(tree))["written"] == [str(tree / "own" / "kept")]
        assert (tree / "own" / "kept").stat().st_mode & 0o777 == 0o640

    def test_check_mode_says_the_same_and_does_nothing(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = texts(tree)
        foretold = run_main(capsys, check=True, **wanted(tree))
        assert texts(tree) == before
        done = run_main(capsys, **wanted(tree))
        assert [foretold[key] for key in ("changed", "removed", "diff")] == [
            done[key] for key in ("changed", "removed", "diff")
        ]

    def test_check_mode_foretells_a_host_that_has_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = str(tmp_path / "etc" / "file")
        result = run_main(capsys, check=True, files={path: "new"}, folders=[str(tmp_path / "own")], group="nosuchgroup")
        assert (result["changed"], result["written"]) == (True, [path])
        assert list(tmp_path.iterdir()) == []

    def test_missing_folder_is_made(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_main(capsys, files={}, folders=[str(tmp_path / "own")])["changed"]
        assert (tmp_path / "own").is_dir()

    def test_diff_shows_each_file_before_and_after(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shown = {
            Path(part["after_header"]).name: (part["before"], part["after"])
            for part in run_main(capsys, **wanted(tree))["diff"]
        }
        assert shown["other"] == ("before", "after")
        assert shown["stale"] == ("stale", "")
        assert "kept" not in shown

    def test_link_is_removed_and_not_followed(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tree / "foreign").mkdir()
        (tree / "foreign" / "file").write_text("foreign")
        (tree / "own" / "link").symlink_to(tree / "foreign")
        run_main(capsys, **wanted(tree))
        assert not (tree / "own" / "link").exists()
        assert (tree / "foreign" / "file").read_text() == "foreign"


class TestMain:
    def test_failure_names_the_cause(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "file").write_text("")
        result = run_main(capsys, files={str(tmp_path / "file" / "below"): "text"}, folders=[])
        assert result["failed"] is True
        assert result["msg"].startswith("Failed to write the set of files: ")


@pytest.mark.parametrize(
    "files, sentence",
    [
        ({"relative": "text"}, "files names 'relative'; give an absolute path."),
        ({"/etc/number": 5}, "files gives /etc/number the value 5; give a text."),
        ({"/etc/nothing": None}, "files gives /etc/nothing the value None; give a text."),
        ({"/etc/half": "\ud800"}, "files gives /etc/half a text that UTF-8 cannot hold"),
    ],
)
def test_what_is_no_set_of_files_is_refused(files: dict[str, object], sentence: str) -> None:
    assert str(file_set.complaint(files)).startswith(sentence)


def test_nothing_is_written_of_a_set_that_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_main(capsys, files={str(tmp_path / "good"): "text", "relative": "text"})
    assert result["failed"]
    assert list(tmp_path.iterdir()) == []
