# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` or `ansible-test units` in its own virtual environment, with PyPI as the only source.

ansible-test clears the environment, so what pip was told by PIP_* goes into a pip.conf of the HOME made here, and the
bootstrap script that ansible-test would download is made from the pip that Python brings along.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import ansible_collections
import ansible_test

from tests.collection_copy import copy_collection

# What users never get is judged by ruff, mypy and shellcheck alone.
SANITY = ["--exclude", "benchmarks/", "--exclude", "extensions/", "--exclude", "sandbox/", "--exclude", "tests/"]
UNITS = ["tests/unit/plugins/"]

CACHE = Path(os.environ.get("SIMPLE_ANALYTICS_CACHE", Path.home() / ".cache" / "simple-analytics"))

GET_PIP = """\
import ensurepip, os, subprocess, sys
ensurepip.bootstrap(default_pip=True)
os.environ.pop("PIP_CONFIG_FILE", None)  # ensurepip points it at /dev/null
wanted = [word for word in sys.argv[1:] if not word.startswith("-")] or ["pip=={version}"]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q"] + wanted)
"""


def prepare_home(home: Path) -> None:
    pip_conf = home / ".config" / "pip" / "pip.conf"
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    names = ("cert", "index_url", "extra_index_url", "find_links", "trusted_host")
    given = {name: os.environ.get(f"PIP_{name.upper()}") for name in names}
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in given.items() if value]
    pip_conf.write_text("\n".join(["[global]", *lines]) + "\n")
    source = Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py"
    match = re.search(r'pip="([0-9.]+)"|pip=.([0-9.]+)', source.read_text())
    if match is None:
        sys.exit(f"Failed to find the pip version that ansible-test wants in {source}")
    version = match.group(1) or match.group(2)
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP.format(version=version))


def lend_dependencies(collections: Path) -> None:
    """Lay what our documentation refers to beside the copy."""
    link = collections / "amazon"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(ansible_collections.__path__[0]) / "amazon")


def main() -> int:
    kind = sys.argv[1]
    # Outside the repository: what git ignores here, ansible-test would not see either. Both kinds may run at once.
    below = CACHE / f"ansible-test-{kind}"
    home = below / "home"
    prepare_home(home)
    copy = copy_collection(below)
    lend_dependencies(below / "ansible_collections")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [
        "ansible-test",
        kind,
        "--venv",
        "--python",
        python,
        "--color",
        "no",
        *(SANITY if kind == "sanity" else UNITS),
    ]
    environment = {**os.environ, "HOME": str(home)}
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH"):
        environment.pop(name, None)
    return subprocess.run(command, cwd=copy, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
