# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kinesis output's own specs, each counted as a test."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[3] / "logstash_plugins" / "logstash-output-kinesis_stream"


def rspec(*options: str) -> dict[str, dict[str, Any]]:
    run = subprocess.run(
        ["rspec", "--format", "json", *options], cwd=PLUGIN, capture_output=True, text=True, check=False
    )
    assert run.stdout.startswith("{"), run.stderr or run.stdout
    return {example["full_description"]: example for example in json.loads(run.stdout)["examples"]}


@cache
def results() -> dict[str, dict[str, Any]]:
    return rspec()


@pytest.mark.parametrize("description", rspec("--dry-run"))
def test_spec(description: str) -> None:
    example = results()[description]
    assert example["status"] == "passed", example.get("exception")
