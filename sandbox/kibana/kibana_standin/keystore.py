# SPDX-License-Identifier: GPL-3.0-or-later
"""The keystore: settings that are secret. They are not encrypted, as a sandbox holds no secret worth it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any


def keystore() -> Path:
    return Path(os.environ.get("KBN_PATH_CONF", "/etc/kibana")) / "kibana.keystore"


def read() -> dict[str, Any]:
    if not keystore().exists():
        sys.exit("ERROR: Kibana keystore not found. Use 'create' command to create one.")
    secrets: dict[str, Any] = json.loads(keystore().read_text())
    return secrets


def parsed(value: str) -> Any:  # noqa: ANN401 - any JSON value
    """As JSON where it can be read so."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def main() -> None:
    parser = argparse.ArgumentParser(prog="kibana-keystore")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("create")
    commands.add_parser("show").add_argument("key")
    commands.add_parser("remove").add_argument("key")
    add = commands.add_parser("add")
    add.add_argument("key")
    add.add_argument("--force", action="store_true", required=True)
    add.add_argument("--stdin", action="store_true", required=True)
    given = parser.parse_args()
    if os.getuid() == 0:
        sys.exit("Kibana should not be run as root.  Use --allow-root to continue.")
    if given.command == "create":
        keystore().write_text("{}")
    elif given.command == "add":
        keystore().write_text(json.dumps({**read(), given.key: parsed(sys.stdin.read().strip())}))
    elif given.command == "remove":
        keystore().write_text(json.dumps({key: value for key, value in read().items() if key != given.key}))
    elif given.key in read():
        value = read()[given.key]
        print(value if isinstance(value, str) else json.dumps(value))
    else:
        sys.exit("ERROR: Kibana keystore doesn't have requested key.")


if __name__ == "__main__":
    main()
