# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be made a page of is refused before anything is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "variables, sentence",
    [
        ({"report_period": "year"}, "report_period is 'year'; there are reports of day, week and month."),
        ({"report_last": "2026-11-31"}, "report_last is '2026-11-31', which is no day"),
        ({"report_last": "2026-02-29"}, "report_last is '2026-02-29', which is no day"),
        ({"report_last": "1999-12-31"}, "report_last is '1999-12-31', which is no day"),
        ({"report_last": "2099-01-01"}, "report_last is '2099-01-01', which is no day"),
        ({"report_last": "tomorrow"}, "report_last is 'tomorrow', which is no day"),
        ({"report_link_hours": "six"}, "report_link_hours is 'six'; a link is good for"),
        ({"report_link_hours": 0}, "report_link_hours is '0'; a link is good for"),
        ({"report_link_hours": 169}, "report_link_hours is '169'; a link is good for"),
        ({"report_last": "2024-02-29", "report_folder": "/nowhere"}, "report_folder is '/nowhere', which is no folder"),
        ({"report_last": "today", "report_folder": "/nowhere"}, "report_folder is '/nowhere', which is no folder"),
        ({"report_last": "yesterday", "report_folder": "/nowhere"}, "report_folder is '/nowhere', which is no folder"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_named(variables: dict[str, Any], sentence: str) -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "playbooks/report.yml", "-e", json.dumps(variables)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert sentence in " ".join((run.stdout + run.stderr).split())
