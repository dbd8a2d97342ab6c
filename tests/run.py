# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts of the test suite and close with one line over everything.

`python3 -m tests.run` runs all of PARTS, `python3 -m tests.run fast` those marked fast, and
`python3 -m tests.run NAME …` the named ones. The exit code is 1 when anything failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / ".cache" / "reports"
LAST_LINES = 40  # of a failed part, said once more at the end: a CI's page may show no more than that


@dataclass(frozen=True)
class Part:
    """One command of the suite. A pytest part counts its test cases, any other part counts as one."""

    name: str
    command: str
    minutes: float  # what it may take with caches warm; CONTRIBUTING.md shows these
    fast: bool = False
    alone: bool = False  # keeps both cores busy by itself, or its tests depend on time
    beside: str = ""  # the part that leaves it enough of them

    @property
    def is_pytest(self) -> bool:
        return self.command.startswith("pytest ")


PARTS = [
    Part("yamllint", "yamllint --strict .", 0.2, fast=True),
    Part("ruff", "ruff check --quiet .", 0.1, fast=True),
    Part("ruff-format", "ruff format --check --quiet .", 0.1, fast=True),
    Part("mypy", "mypy plugins tests sandbox benchmarks", 0.5, fast=True),
    Part("cfn-lint", "cfn-lint --non-zero-exit-code informational templates/cloudformation/*.yml", 0.2, fast=True),
    Part("ansible-lint", "ansible-lint --strict --offline -q", 1.0, fast=True),
    Part("unit", "pytest -n 2 --dist loadfile tests/unit", 1.0, fast=True),
    Part("changelog", "antsibull-changelog lint", 0.1),
    Part("ansible-test-sanity", "python3 -m tests.ansible_test sanity", 1.0),
    Part("ansible-test-units", "python3 -m tests.ansible_test units", 0.5),
    Part("galaxy-importer", "python3 -m tests.galaxy_importer", 1.0),
    Part("integration", "pytest -n 2 --dist loadfile tests/integration", 5.0, alone=True),
    Part("conformance", "pytest -n 2 tests/conformance", 6.0, alone=True, beside="e2e"),
    Part("demo", "ansible-playbook sandbox/clean.yml && make demo", 6.0, alone=True),
    Part("e2e", "pytest tests/e2e", 17.0, alone=True),
    Part(
        "molecule",
        "molecule destroy --all && molecule test --all --exclude elasticsearch_upgrade --workers 2",
        13.0,
        alone=True,
    ),
    Part("newest-core", "pytest tests/newest_core", 1.0, alone=True),  # on the image that the demonstration made
    Part("stop", "pytest tests/stop", 1.5, alone=True),
]


@dataclass(frozen=True)
class Outcome:
    """How one part ended."""

    name: str
    passed: int
    failed: int
    seconds: float
    last_lines: str


def junit_counts(report: Path) -> tuple[int, int]:
    """(passed, failed) of a JUnit report; errors count as failed, and so do skipped tests: a skip hides."""
    suites = ET.parse(report).getroot().iter("testsuite")
    total = failed = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += sum(int(suite.get(kind, 0)) for kind in ("failures", "errors", "skipped"))
    return total - failed, failed


def run(part: Part, live: bool) -> Outcome:
    """Run one part. What it says is shown as it comes, or all at once when the part has ended."""
    print(f"\n== {part.name}: {part.command}", flush=True)
    report = REPORTS / f"{part.name}.xml"
    report.unlink(missing_ok=True)
    command = f"{part.command} --junit-xml={report}" if part.is_pytest else part.command
    start = time.monotonic()
    lines: deque[str] = deque(maxlen=LAST_LINES if live else None)
    with subprocess.Popen(
        ["bash", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if live:
                print(line, end="", flush=True)
    seconds = time.monotonic() - start
    if not live:
        print(f"\n== {part.name} ended after {seconds:.0f} s\n{''.join(lines)}", end="", flush=True)
    code = process.returncode
    passed, failed = junit_counts(report) if report.exists() else (int(code == 0), int(code != 0))
    if code != 0 and failed == 0:
        failed = 1  # it died outside its test cases
    return Outcome(part.name, passed, failed, seconds, "".join([*lines][-LAST_LINES:]))


def run_all(parts: list[Part]) -> list[Outcome]:
    """Two at a time, and after them, one after another, those that run alone, each with what runs beside it."""
    paired = [part for part in parts if not part.alone]
    names = {part.name for part in parts}
    guests = {part.beside: part for part in parts if part.beside in names}
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda part: run(part, live=len(paired) == 1), paired))
        for part in parts:
            if part.alone and part not in guests.values():
                beside = [pool.submit(run, guests[part.name], live=False)] if part.name in guests else []
                outcomes += [run(part, live=True), *(guest.result() for guest in beside)]
    return outcomes


def select(words: list[str]) -> list[Part]:
    if not words:
        return PARTS
    if words == ["fast"]:
        return [part for part in PARTS if part.fast]
    unknown = set(words) - {part.name for part in PARTS}
    if unknown:
        sys.exit(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(part.name for part in PARTS)}")
    return [part for part in PARTS if part.name in words]


def main() -> int:
    os.environ |= {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    REPORTS.mkdir(parents=True, exist_ok=True)
    outcomes = run_all(select(sys.argv[1:]))
    for outcome in outcomes:
        if outcome.failed:
            print(f"\n== {outcome.name} failed, and ended with\n{outcome.last_lines}", end="")
    print("\npart                   passed  failed   seconds")
    for outcome in outcomes:
        print(f"{outcome.name:<22} {outcome.passed:>6}  {outcome.failed:>6}  {outcome.seconds:>8.1f}")
    failed = sum(outcome.failed for outcome in outcomes)
    print(f"\n{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
