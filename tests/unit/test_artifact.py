# SPDX-License-Identifier: GPL-3.0-or-later
"""The built tarball holds what users run, and nothing of what only this repository needs."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from tests.collection_copy import copy_collection

ALLOWED = {
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "inventories",
    "logstash_plugins",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "requirements.yml",
    "roles",
    "site.yml",
    "templates",
    "tracker",
}


def test_the_tarball_holds_what_users_run_and_nothing_else(tmp_path: Path) -> None:
    copy = copy_collection(tmp_path)
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", tmp_path, copy], check=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as tarball:
        names = [Path(name) for name in tarball.getnames()]

    top = {name.parts[0] for name in names if name.parts}
    assert top <= ALLOWED
    assert top >= {"logstash_plugins", "playbooks", "roles", "templates", "tracker"}
    assert {name.parts[1] for name in names if len(name.parts) > 1 and name.parts[0] == "inventories"} == {"aws"}
