# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what a demonstration left to look at; its last line is the ledger's, its exit code 1 unless that closes.

python3 -m sandbox.summary LEDGER.json LAST_DAY
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sandbox.local import EDGE, ELASTICSEARCH, NAME

NEWEST = f"{ELASTICSEARCH}/simple-analytics-events/_search?size=1&sort=@timestamp:desc&pretty"
LOOK = f"""
Open in a browser: {{page}}
Send a hit:        curl '{EDGE}/pixel.gif?event=view&url=https%3A%2F%2Fexample.org%2F'
The reader's password:
                   . .venv/bin/activate; ansible-playbook sandbox/password.yml
See it, in a minute at most:
                   curl --insecure --user reader '{NEWEST}'
Account again:     . .venv/bin/activate; ansible-playbook playbooks/audit.yml -e @.cache/demo.json
Stop it all:       make stop
"""


def main() -> int:
    ledger = json.loads(Path(sys.argv[1]).read_text())
    print("\n".join(ledger["table"]))
    print(LOOK.format(page=Path(".cache", f"{NAME}-week-{sys.argv[2]}.html").resolve()))
    print(ledger["summary"])
    return int(not ledger["closed"])


if __name__ == "__main__":
    sys.exit(main())
