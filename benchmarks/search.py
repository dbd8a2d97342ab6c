# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of playbooks/search.yml that has nothing to do, and one of Ansible's own that asks its hosts for their facts.

    ANSIBLE_INVENTORY=inventories/local,tests/e2e/three_nodes make demo
    ANSIBLE_INVENTORY=inventories/local,tests/e2e/three_nodes python3 -m benchmarks.search

It changes nothing.
"""

from __future__ import annotations

import re
import subprocess

from .landscape import seconds

ROUNDS = 3  # the best of each counts


def ansible(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    said: list[str] = []
    runs, facts = [], []
    for _ in range(ROUNDS):
        facts.append(seconds(lambda: ansible("ansible", "elasticsearch", "-m", "ansible.builtin.setup")))
        runs.append(seconds(lambda: said.append(ansible("ansible-playbook", "playbooks/search.yml"))))
    nodes = re.findall(r"^(elasticsearch-\d+) .*changed=(\d+)", said[-1], flags=re.MULTILINE)
    if {changed for _, changed in nodes} != {"0"}:
        raise SystemExit(f"Something was changed: {nodes}")
    tasks = said[-1].count("\nTASK [")
    print(f"nothing to do on {len(nodes)} nodes: {min(runs):.1f} s, {tasks} tasks; facts alone {min(facts):.1f} s")


if __name__ == "__main__":
    main()
