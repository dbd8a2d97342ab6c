# SPDX-License-Identifier: GPL-3.0-or-later
"""What the status says of a landscape that is well, and of one whose consumer stands still."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .conftest import ROOT


def status(report: Path) -> tuple[int, str, dict[str, dict[str, Any]]]:
    """Its exit code, what it says, and its checks by subject."""
    run = subprocess.run(
        ["ansible-playbook", "playbooks/status.yml", "-e", f"status_report={report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    checks = json.loads(report.read_text())["checks"]
    return run.returncode, run.stdout, {check["subject"]: check for check in checks}


@contextmanager
def stopped(host: str, unit: str) -> Iterator[None]:
    command = ["podman", "exec", host, "systemctl"]
    subprocess.run([*command, "stop", unit], check=True)
    try:
        yield
    finally:
        subprocess.run([*command, "start", unit], check=True)


def test_one_screen_says_what_is_not_well(tmp_path: Path) -> None:
    code, said, checks = status(tmp_path / "well.json")
    assert (code, {check["ok"] for check in checks.values()}) == (0, {True}), said
    assert {"log objects", "capture on capture-1", "indexer on consumer-1", "cluster", "index"} <= checks.keys()
    assert "documents, " in checks["index"]["says"]
    assert "All is well." in said

    with stopped("consumer-1", "logstash"):
        code, said, checks = status(tmp_path / "still.json")
    assert code != 0
    ill = {subject for subject, check in checks.items() if not check["ok"]}
    assert ill == {"Logstash on consumer-1", "consumer analytics-local-archiver", "consumer analytics-local-indexer"}
    assert "systemctl status logstash" in checks["Logstash on consumer-1"]["do"]
    assert "nobody reads 2 of them" in checks["consumer analytics-local-indexer"]["says"]
    assert "Not well: Logstash on consumer-1" in said
