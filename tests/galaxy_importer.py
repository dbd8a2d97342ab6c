# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection and let Galaxy's own importer judge the tarball."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.collection_copy import ROOT, copy_collection

CONFIG = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
"""


def main() -> int:
    work = ROOT / ".cache" / "galaxy"
    copy = copy_collection(work)
    (work / "galaxy-importer.cfg").write_text(CONFIG)
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(work), str(copy)], check=True
    )
    tarball = next(iter(sorted(work.glob("simple_analytics-pipeline-*.tar.gz"))))
    environment = {**os.environ, "GALAXY_IMPORTER_CONFIG": str(work / "galaxy-importer.cfg")}
    result = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", str(Path(tarball).resolve())],
        cwd=work,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    output = result.stdout + result.stderr
    print(output)
    complaints = [line for line in output.splitlines() if line.startswith(("ERROR:", "WARNING:"))]
    return 1 if result.returncode or complaints else 0


if __name__ == "__main__":
    sys.exit(main())
