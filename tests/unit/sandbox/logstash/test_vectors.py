# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in does what a real Logstash was recorded doing (tests/vectors, by its command line)."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from logstash_standin.cli import main

ROOT = Path(__file__).parents[4]
VECTORS = ROOT / "tests" / "vectors"
Json = Any
COMMON = "pipeline.workers: 1\npipeline.ordered: true\nallow_superuser: true\napi.enabled: false\n"
RECORD = re.compile(r"^\[[^]]+\]\[(\w+) *\]\[([^] ]+) *\] ", re.MULTILINE)


def vectors(*areas: str) -> list[Any]:
    found = [path for area in areas for path in sorted((VECTORS / area).iterdir())]
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in found]


class Run:
    """One run of the command, in a copy of the vector's folder."""

    def __init__(self, exit_code: int, stdout: bytes, stderr: str) -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        parts = RECORD.split(stderr)
        self.stderr = parts[0]
        self.log = [f"{level} {logger}: {text}" for level, logger, text in zip(*[iter(parts[1:])] * 3, strict=True)]


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Callable[[Path], Run]]:
    stdin = os.dup(0)

    def run(vector: Path) -> Run:
        shutil.copytree(vector, tmp_path, dirs_exist_ok=True)
        settings = tmp_path / ".settings"
        settings.mkdir()
        own = tmp_path / "settings.yml"
        (settings / "logstash.yml").write_text(COMMON + (own.read_text() if own.exists() else ""))
        if (tmp_path / "pipelines.yml").exists():
            shutil.copy(tmp_path / "pipelines.yml", settings)
        for line in (tmp_path / "env").read_text().splitlines() if (tmp_path / "env").exists() else ():
            monkeypatch.setenv(*line.split("=", 1))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "input").touch()
        with (tmp_path / "input").open("rb") as content:
            os.dup2(content.fileno(), 0)
        args = tmp_path / "args"
        given = shlex.split(args.read_text() if args.exists() else "-f pipeline.conf")
        try:
            exit_code = main(["--path.settings", ".settings", "--path.data", ".data", *given])
        except SystemExit as stop:
            exit_code = int(stop.code or 0)
        captured = capfdbinary.readouterr()
        return Run(exit_code, captured.out, captured.err.decode())

    yield run
    os.dup2(stdin, 0)
    os.close(stdin)


def spelled(text: str) -> Json:
    """JSON in which the spelling of numbers counts."""
    return json.loads(text, parse_float=lambda number: ("float", number), parse_int=lambda number: ("int", number))


def events(lines: bytes) -> dict[int, Any]:
    return dict(enumerate(spelled(line) for line in lines.decode().split("\n")[:-1]))


def assert_same(expected: Json, actual: Json, where: str) -> None:
    if expected == "<any>":
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        assert sorted(expected) == sorted(actual), where
        for key, value in expected.items():
            assert_same(value, actual[key], f"{where}/{key}")
    else:
        assert expected == actual, where


def assert_logged(entry: str, log: list[str]) -> None:
    """An entry quotes the essential part of a message; ` …` is where it was cut."""
    pattern = ".*".join(map(re.escape, re.split(r'<any>|<home>|, "backtrace" => .*| …$', entry)))
    assert any(re.match(pattern, record, re.DOTALL) for record in log), "\n".join([entry, "is not in", *log])


@pytest.mark.parametrize("vector", vectors("config", "fields", "codecs", "filters", "startup"))
def test_does_what_logstash_did(run: Callable[[Path], Run], vector: Path) -> None:
    result = run(vector)
    outcome = json.loads((vector / "expected.json").read_text()) if (vector / "expected.json").exists() else {}
    assert result.exit_code == outcome.get("exit_code", 0), result.log
    for entry in outcome.get("log", ()):
        assert_logged(entry, result.log)
    for text in outcome.get("stdout", ()):
        assert text in result.stdout.decode()
    for text in outcome.get("stderr", ()):
        assert text in result.stderr
    if "pipeline" in outcome:
        assert result.stdout == b""
        assert_logged("ERROR logstash.javapipeline: Pipeline worker error", result.log)
    if (vector / "expected.txt").exists():
        assert result.stdout == (vector / "expected.txt").read_bytes()
    if (vector / "expected.jsonl").exists():
        assert_same(events((vector / "expected.jsonl").read_bytes()), events(result.stdout), "events")
