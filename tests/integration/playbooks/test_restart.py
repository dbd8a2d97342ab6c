# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts playbooks/restart_….yml have restarted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MARK = "to be restarted\n"


def restart(folder: Path, records: dict[str, str | None], *arguments: str) -> dict[str, bool]:
    """By host, whether it is to be restarted by this run."""
    for host, record in records.items():
        if record is not None:
            (folder / host).write_text(record)
    tasks = {
        "ansible.builtin.include_tasks": str(ROOT / "playbooks" / "tasks" / "restart.yml"),
        "vars": {"record": f"{folder}/{{{{ inventory_hostname }}}}"},
    }
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": [tasks]}
    play["vars"] = {"ansible_python_interpreter": sys.executable}
    (folder / "play.yml").write_text(json.dumps([play]))
    run = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            f"{','.join(records)},",
            folder / "play.yml",
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {host: count == "1" for host, count in re.findall(r"^(\S+) .*changed=(\d)", run.stdout, flags=re.MULTILINE)}


@pytest.mark.parametrize(
    "records, chosen",
    [
        ({"a": "1", "b": "2"}, {"a": True, "b": True}),
        ({"a": "1", "b": None}, {"a": True, "b": False}),
        ({"a": "1", "b": MARK}, {"a": False, "b": False}),
        ({"a": "1", "b": MARK, "c": None}, {"a": False, "b": False, "c": False}),
    ],
    ids=["all run", "one was replaced", "a run that broke off has left one", "and one was replaced"],
)
def test_every_host_that_runs_is_restarted_once(
    tmp_path: Path, records: dict[str, str | None], chosen: dict[str, bool]
) -> None:
    assert restart(tmp_path, records, "--check") == chosen
    assert {host: (tmp_path / host).exists() for host in records} == {host: bool(its) for host, its in records.items()}
    assert restart(tmp_path, records) == chosen
    marked = {host for host, its in chosen.items() if its} | {host for host, its in records.items() if its == MARK}
    assert {host for host in records if (tmp_path / host).exists() and (tmp_path / host).read_text() == MARK} == marked
