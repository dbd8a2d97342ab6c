# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on a landscape that has it all."""

from __future__ import annotations

import re
import subprocess

import pytest

from .conftest import ROOT


@pytest.mark.parametrize("arguments", [[], ["--check", "--diff"]], ids=["run", "check"])
def test_a_second_run_changes_nothing(arguments: list[str]) -> None:
    run = subprocess.run(
        ["ansible-playbook", "site.yml", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    hosts = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", run.stdout, flags=re.MULTILINE)
    assert {"localhost", "capture-1", "consumer-1", "elasticsearch-1", "kibana-1"} == {host for host, _ in hosts}
    assert [host for host, changed in hosts if changed != "0"] == [], run.stdout
