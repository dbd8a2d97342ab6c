# SPDX-License-Identifier: GPL-3.0-or-later
"""A real copy of the committed and tracked files where tools that refuse links want the collection to be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def copy_collection(below: Path) -> Path:
    """Copy what git tracks to BELOW/ansible_collections/simple_analytics/pipeline and return that folder."""
    target = below / "ansible_collections" / "simple_analytics" / "pipeline"
    for kept in target.glob("*") if target.exists() else ():
        if kept.name == "tests":  # ansible-test keeps its virtual environments in tests/output
            for part in kept.iterdir():
                if part.name != "output":
                    remove(part)
        else:
            remove(kept)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target
