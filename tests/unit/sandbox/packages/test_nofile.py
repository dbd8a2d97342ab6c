# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[4] / "sandbox" / "packages" / "elasticsearch" / "nofile.c"
LIMITS = "import resource; print(*resource.getrlimit(resource.RLIMIT_{}))"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("nofile") / "nofile.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", built, SOURCE], check=True)
    return built


@pytest.mark.parametrize(
    "limit, before, preloaded",
    [("NOFILE", "1000 2000", "65536 65536"), ("NPROC", "1000 2000", "1000 2000")],
)
def test_only_the_limit_of_open_files_is_told_higher(library: Path, limit: str, before: str, preloaded: str) -> None:
    soft, hard = before.split()
    option = {"NOFILE": "n", "NPROC": "u"}[limit]
    command = f"ulimit -S{option} {soft}; ulimit -H{option} {hard}; python3 -c '{LIMITS.format(limit)}'"
    told = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"LD_PRELOAD": str(library)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == preloaded
