# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole log files: every line ends as event, malformed or filtered, in the numbers that expected.yml states."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.simple_analytics.pipeline.plugins.module_utils import _cloudfront_log as ledger

from .conftest import ROOT, Json, Scripts

FIXTURES = ROOT / "tests" / "fixtures" / "cloudfront"
EXPECTED: dict[str, Any] = yaml.safe_load((FIXTURES / "expected.yml").read_text())
PIXEL_PATHS: dict[str, str] = EXPECTED["pixel_paths"]
FOLDERS = [FIXTURES, *(Path(folder) for folder in [os.environ.get("SIMPLE_ANALYTICS_PUBLIC_LOGS", "")] if folder)]
FILES = [path for folder in FOLDERS for path in sorted(folder.iterdir()) if path.name in EXPECTED["files"]]
DELIVERED = "2024-05-01T12"


def messages(path: Path) -> tuple[int, list[Json]]:
    """An object as Logstash's s3 input hands it on, and how many of its lines are neither blank nor a comment."""
    events, fields, counted = [], None, 0
    with path.open("rb") as file:
        for line in ledger.read_lines(file):
            if line.startswith("#Fields: "):
                fields = line.removeprefix("#Fields: ").strip()
            elif not line.startswith("#Version: "):
                counted += bool(line.strip()) and not line.startswith("#")
                cloudfront = {"cloudfront": {"fields": fields}} if fields else {}
                events.append({"message": line, "@metadata": {"s3": {"key": f"cloudfront/{path.name}"} | cloudfront}})
    return counted, events


def numbers(lines: int, left: list[Json]) -> Json:
    ids = Counter(event["event"]["id"] for event in left if event["@metadata"]["route"] == "event")
    malformed = Counter(event["event"]["reason"] for event in left if event["@metadata"]["route"] == "malformed")
    return {
        "lines": lines,
        "events": len(ids),
        "repeated": ids.total() - len(ids),
        "malformed": dict(malformed),
        "filtered": lines - len(left),
    }


def test_the_table_names_each_file_of_its_folder() -> None:
    assert {path.name for path in FIXTURES.iterdir() if path.suffix in (".log", ".gz")} <= set(EXPECTED["files"])


@pytest.mark.parametrize("pixel", PIXEL_PATHS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_line_ends_somewhere(scripts: Scripts, path: Path, pixel: str) -> None:
    lines, events = messages(path)
    left = scripts.run("capture", *events, pixel_path=PIXEL_PATHS[pixel])
    expected = EXPECTED["files"][path.name]
    assert numbers(lines, left) == {"lines": expected["lines"]} | expected[pixel]


@pytest.mark.parametrize("pixel", PIXEL_PATHS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_ledger_finds_every_hit_again(scripts: Scripts, path: Path, pixel: str) -> None:
    _, events = messages(path)
    left = scripts.run("capture", *events, pixel_path=PIXEL_PATHS[pixel])
    with path.open("rb") as file:
        key = f"cloudfront/{path.name}"
        counted = list(ledger.classify(ledger.read_lines(file), key, DELIVERED, re.compile(PIXEL_PATHS[pixel])))
    found = {event["event"].get("id") or event["event"]["hash"] for event in left}
    lost = [line for line in counted if line.kind != "filtered" and line.id not in found and line.hash not in found]
    assert lost == []
    assert len(left) == sum(line.kind != "filtered" for line in counted)
