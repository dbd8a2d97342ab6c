# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `logstash-plugin`: lists the plugins, and installs the one that the vendor's package leaves out.

The stand-in brings that plugin too; installing it only records the version, so that the next call finds it installed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .settings import HOME

RECORD = HOME / "installed-plugins.json"
INSTALLABLE = "logstash-input-kinesis"
PACK = re.compile(rf"(?:file|https?)://(?:.*/)?{INSTALLABLE}-(\d[\w.]*)\.(?:zip|gem)")


def bundled() -> list[str]:
    folders = {kind: Path(__file__).parent / "plugins" / f"{kind}s" for kind in ("codec", "filter", "input", "output")}
    names = [f"logstash-{kind}-{path.stem}" for kind, folder in folders.items() for path in folder.glob("[!_]*.py")]
    return sorted(name for name in names if name != INSTALLABLE)


def installed() -> dict[str, str]:
    versions: dict[str, str] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return versions


def list_plugins(*, verbose: bool) -> int:
    for name in bundled():
        print(f"{name} (bundled)" if verbose else name)
    for name, version in installed().items():
        print(f"{name} ({version})" if verbose else name)
    return 0


def install(plugin: str, version: str | None) -> int:
    pack = PACK.fullmatch(plugin)
    version = pack[1] if pack else version
    if not version or not (pack or plugin == INSTALLABLE):
        print(
            f"ERROR: The stand-in installs {INSTALLABLE} by --version or from a pack's URL, not {plugin}",
            file=sys.stderr,
        )
        return 1
    RECORD.write_text(json.dumps({INSTALLABLE: version}))
    print(f"Installing {INSTALLABLE}\nInstallation successful")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="logstash-plugin", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list").add_argument("--verbose", action="store_true", help="with versions")
    installing = commands.add_parser("install")
    installing.add_argument("--version")
    installing.add_argument("plugin")
    options = parser.parse_args(arguments)
    if options.command == "list":
        return list_plugins(verbose=options.verbose)
    return install(options.plugin, options.version)


if __name__ == "__main__":
    sys.exit(main())
