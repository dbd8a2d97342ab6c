# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything restarted, one host after the other, under traffic."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise

from .conftest import ROOT, Landscape, grown

HITS, RATE = 900, 15
UNITS = {"capture": "logstash", "consumers": "logstash", "elasticsearch": "elasticsearch"}


def processes() -> dict[str, tuple[int, int]]:
    """By host, when its service was started and since when it is ready, in microseconds."""
    found = {}
    for group, unit in UNITS.items():
        show = (
            "systemctl show --value --property=InactiveExitTimestampMonotonic --property=ActiveEnterTimestampMonotonic"
        )
        command = ["ansible", group, "--one-line", "-m", "ansible.builtin.command", "-a", f"{show} {unit}"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for host, first, second in re.findall(r"^(\S+) \|.*?(\d+)\\n(\d+)\s*$", said, flags=re.MULTILINE):
            found[host] = (min(int(first), int(second)), max(int(first), int(second)))
    return found


def test_every_host_takes_its_turn_and_nothing_is_lost(landscape: Landscape) -> None:
    before, former = landscape.known(), processes()
    assert len(former) >= len(UNITS)
    traffic = landscape.traffic("--hits", str(HITS), "--rate", str(RATE), "--seed", "13")

    landscape.playbook("restart_search")
    landscape.playbook("restart_processors")

    turns = sorted(processes().values())
    assert turns[0][0] > max(ready for _, ready in former.values())
    assert all(ready < start for (_, ready), (start, _) in pairwise(turns))
    sent = landscape.sent(traffic)
    changes = grown(before, landscape.audit())
    assert changes["repeated"] == changes["lost"] == 0
    assert changes["events"] == changes["archived"] == changes["indexed"] == sent["event"]
