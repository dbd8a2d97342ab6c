# SPDX-License-Identifier: GPL-3.0-or-later
"""The keystore: secrets that configuration names as `${KEY}`, in a file that only its owner can read.

The stand-in keeps them unencrypted, as a sandbox holds no secret worth it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = re.compile(r"[a-zA-Z_.][a-zA-Z0-9_.]*")


class KeystoreError(Exception):
    """What the command refuses to do."""


class Keystore:
    """Names are kept in lower case and found in any."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "logstash.keystore"

    def read(self) -> dict[str, str]:
        if not self.path.exists():
            raise KeystoreError(
                f"Can not find Logstash keystore at {self.path}. Please verify this file exists and is a valid Logstash"
                " keystore."
            )
        secrets: dict[str, str] = json.loads(self.path.read_text())
        return secrets

    def write(self, secrets: dict[str, str]) -> None:
        with open(os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(secrets, file, sort_keys=True)

    def lookup(self, name: str) -> str | None:
        return self.read().get(name.lower()) if self.path.exists() else None


def create(keystore: Keystore, names: list[str]) -> None:
    if not os.environ.get("LOGSTASH_KEYSTORE_PASS"):
        print(
            "WARNING: The keystore password is not set. Please set the environment variable `LOGSTASH_KEYSTORE_PASS`."
            " Failure to do so will result in reduced security. Continue without password protection on the keystore?"
            " [y/N]",
            end=" ",
        )
        _confirmed()
    if keystore.path.exists():
        print("An Logstash keystore already exists. Overwrite? [y/N]", end=" ")
        _confirmed()
    keystore.write({})
    print(f"\nCreated Logstash keystore at {keystore.path}")


def _confirmed() -> None:
    if sys.stdin.readline().strip().lower() != "y":
        raise SystemExit(0)


def add(keystore: Keystore, names: list[str]) -> None:
    secrets = keystore.read()
    for name in names:
        if not NAME.fullmatch(name):
            raise KeystoreError(
                f"Invalid secret key name `{name}` provided. Key names are limited to ASCII letters (`a`-`z`, `A`-`Z`),"
                " numbers (`0`-`9`), underscores (`_`), and dots (`.`); they must be at least one character long and"
                " cannot begin with a number"
            )
        print(f"Enter value for {name}: ", end="")
        secrets[name.lower()] = sys.stdin.readline().rstrip("\n")
        keystore.write(secrets)
        print(f"Added '{name.lower()}' to the Logstash keystore.")


def list_names(keystore: Keystore, names: list[str]) -> None:
    print("\n".join(sorted(keystore.read())))


def remove(keystore: Keystore, names: list[str]) -> None:
    secrets = keystore.read()
    for name in names:
        if secrets.pop(name.lower(), None) is None:
            print(f"ERROR: '{name}' does not exist in the Logstash keystore.")
        else:
            keystore.write(secrets)
            print(f"Removed '{name.lower()}' from the Logstash keystore.")


COMMANDS = {"create": create, "add": add, "list": list_names, "remove": remove}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="logstash-keystore", allow_abbrev=False)
    parser.add_argument("--path.settings", dest="settings", type=Path, default=Path("/usr/share/logstash/config"))
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--stdin", action="store_true", help="read the value from standard input")
    options = parser.parse_intermixed_args(arguments)
    try:
        COMMANDS[options.command](Keystore(options.settings), options.names)
    except KeystoreError as error:
        print(f"ERROR {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
