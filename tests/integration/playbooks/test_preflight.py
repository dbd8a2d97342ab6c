# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable that a late play would refuse stops site.yml at its head."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def preflight(**variables: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - as inventories hold
    """The playbook with the local inventory's variables and these, on nothing but this machine."""
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "playbooks/preflight.yml", "-e", json.dumps(variables)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "variables, sentence",
    [
        (
            {"event_pipelines_source_ipp": "absent"},
            "event_pipelines_source_ipp: no such variable of the role event_pipelines.",
        ),
        ({"secrets_rotate": ["visitor_secrett"]}, "secrets_rotate names 'visitor_secrett', which cannot be rotated."),
        ({"elasticsearch_heap": "5 GB"}, "elasticsearch_heap is '5 GB'. Give a number of megabytes or gigabytes"),
        ({"event_pipelines_source_ip": "some"}, "event_pipelines_source_ip must be one of: truncated, absent, whole"),
        ({"event_pipelines_file_minutes": -5}, "event_pipelines_file_minutes is -5; it must be greater than 0."),
        ({"simple_analytics_name": False}, "simple_analytics_name is 'False'; it must be 3 to 30 lower-case letters"),
        ({"simple_analytics_region": ""}, "simple_analytics_region is ''; it must be a region's code"),
        (
            {"simple_analytics_pixel_path": "^(/x"},
            "event_pipelines_pixel_path (simple_analytics_pixel_path) is '^(/x', which is no regular",
        ),
        (
            {"simple_analytics_pixel_path": "(?P<x>/p)"},
            "event_pipelines_pixel_path (simple_analytics_pixel_path) is '(?P<x>/p)', which is no regular",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_named(variables: dict[str, Any], sentence: str) -> None:
    run = preflight(**variables)

    assert run.returncode != 0
    assert sentence in run.stdout + run.stderr


def test_the_inventory_as_it_is_passes() -> None:
    assert preflight().returncode == 0


def test_it_comes_before_everything_else() -> None:
    site = (ROOT / "playbooks" / "site.yml").read_text()
    assert site.split("import_playbook: ")[1].startswith("preflight.yml")
