# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest ansible-core on the image of the local landscape's hosts, whose Python is new enough for it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ansible_test import CACHE
from tests.integration.conftest import PROGRAMS, ROOT, ministack

__all__ = ["ministack"]  # a fixture

IMAGE = "localhost/simple-analytics-host"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def packages() -> Path:
    """The newest ansible-core and what it needs, in the download cache."""
    packages = CACHE / f"newest-core-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    if not packages.exists():
        part = packages.with_suffix(".part")
        resolved_for = ["--python-version=3.13", f"--python-platform={platform.machine()}-unknown-linux-gnu"]
        install = [str(PROGRAMS / "uv"), "pip", "install", "--quiet", *resolved_for]
        subprocess.run([*install, f"--target={part}", f"--requirements={REQUIREMENTS}"], check=True)
        part.rename(packages)
    return packages


@pytest.fixture(scope="session")
def newest(packages: Path) -> Program:
    """Runs a Python module in this checkout, which it cannot change."""
    bytecode = packages.with_suffix(".bytecode")
    bytecode.mkdir(exist_ok=True)
    there = subprocess.run(["podman", "image", "exists", IMAGE], check=False).returncode == 0
    assert there, f"There is no image {IMAGE}; `make demo` makes it."

    def run(*words: str, network: str = "none", **variables: str) -> subprocess.CompletedProcess[str]:
        variables |= {
            "ANSIBLE_HOME": "/tmp/ansible",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": "/srv/packages",
            "PYTHONPYCACHEPREFIX": "/srv/bytecode",
        }
        return subprocess.run(
            [
                *("podman", "run", "--rm", f"--network={network}", "--workdir=/srv/pipeline"),
                *(f"--volume={ROOT}:/srv/pipeline:ro", f"--volume={packages}:/srv/packages:ro"),
                f"--volume={bytecode}:/srv/bytecode",
                *(f"--env={name}={value}" for name, value in variables.items()),
                *(IMAGE, "python3", "-m", *words),
            ],
            env={"CONTAINERS_CONF": str(CACHE / "containers.conf"), **os.environ},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
