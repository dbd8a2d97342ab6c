# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users have it: built, installed from its tarball, called from a folder that is no checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.collection_copy import copy_collection
from tests.integration.conftest import PROGRAMS


@dataclass(frozen=True)
class Workplace:
    """A folder whose programs see the collection installed there and what this Python brings, but no checkout."""

    folder: Path

    @property
    def collection(self) -> Path:
        return self.folder / "ansible_collections" / "simple_analytics" / "pipeline"

    def run(
        self, program: str, *arguments: str | Path, environment: Mapping[str, str] = os.environ
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in environment.items() if not name.startswith("ANSIBLE_")}
        own = {
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
        }
        return subprocess.run(
            [PROGRAMS / program, *arguments],
            cwd=self.folder,
            env={**kept, **own},
            capture_output=True,
            text=True,
            check=False,
        )

    def galaxy(self, *arguments: str | Path) -> None:
        run = self.run("ansible-galaxy", "collection", *arguments)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    workplace = Workplace(tmp_path_factory.mktemp("workplace"))
    (workplace.folder / "ansible.cfg").touch()
    build = tmp_path_factory.mktemp("build")
    workplace.galaxy("build", "--output-path", build, copy_collection(build))
    (tarball,) = build.glob("*.tar.gz")
    workplace.galaxy("install", "--no-deps", "--collections-path", workplace.folder, tarball)
    return workplace
