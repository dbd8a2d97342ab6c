# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a local landscape that `make demo` started: what is left of it, in the order in which it goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.ansible_test import CACHE
from tests.collection_copy import ROOT, copy_collection

IMAGE = "localhost/simple-analytics-host"
NETWORK = "simple-analytics"
ENVIRONMENT = {**os.environ, "CONTAINERS_CONF": str(CACHE / "containers.conf")}


def run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # What the suite's own `make` exports names this checkout.
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "ANSIBLE_CONFIG"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def podman(*words: str) -> list[str]:
    done = run("podman", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def hosts(*options: str) -> list[str]:
    return sorted(podman("ps", *options, f"--filter=network={NETWORK}", "--format={{.Names}}"))


def mounted() -> list[str]:
    """Where container runtimes mount."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(("/var/lib/containers", "/run/netns", "/run/containers"))]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another checkout on this machine, set up."""
    copy = copy_collection(tmp_path_factory.mktemp("elsewhere"))
    done = run("make", "setup", folder=copy)
    assert done.returncode == 0, done.stderr
    return copy


def test_another_checkout_leaves_running_hosts_alone(elsewhere: Path) -> None:
    before = hosts()
    assert before, "Nothing runs; `make demo` starts it."

    start = run(str(elsewhere / ".venv/bin/ansible-playbook"), "sandbox/start.yml", folder=elsewhere)
    stop = run("make", "stop", folder=elsewhere)
    clean = run("make", "clean", folder=elsewhere)

    assert start.returncode != 0
    assert f"make -C {ROOT} stop" in " ".join((start.stdout + start.stderr).split())
    assert (stop.returncode, clean.returncode) == (0, 0)
    assert hosts() == before


def test_clean_leaves_what_was_checked_out_and_can_be_repeated(elsewhere: Path) -> None:
    tracked = files(copy_collection(elsewhere.parents[2] / "untouched"))

    again = run("make", "clean", folder=elsewhere)

    assert (again.returncode, again.stderr) == (0, "")
    assert files(elsewhere) == tracked


def test_stop_leaves_nothing_running_and_nothing_mounted() -> None:
    known = hosts("--all")

    done = run("make", "stop")

    assert done.returncode == 0, done.stdout
    assert hosts() == []
    assert hosts("--all") == known
    assert mounted() == []


def test_clean_removes_hosts_network_and_image() -> None:
    done = run(str(ROOT / ".venv/bin/ansible-playbook"), "sandbox/clean.yml")

    assert done.returncode == 0, done.stdout
    assert hosts("--all") == []
    assert NETWORK not in podman("network", "ls", "--format={{.Name}}")
    assert podman("images", "--quiet", IMAGE) == []
    assert mounted() == []
