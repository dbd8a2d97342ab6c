# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever fails while traffic flows: the ledger closes, and no event is there twice."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import pytest

from .conftest import Landscape, grown

HITS, RATE = 600, 20
PAUSE_SECONDS = 30


def on(host: str, *command: str) -> None:
    subprocess.run(["podman", "exec", host, *command], check=True)


def kill(host: str, unit: str) -> None:
    on(host, "systemctl", "kill", "--signal", "KILL", "--kill-whom", "all", unit)


def reboot(host: str) -> None:
    subprocess.run(["podman", "restart", "--time", "10", host], check=True, stdout=subprocess.DEVNULL)


def pause_aws() -> None:
    on("cloud", "systemctl", "kill", "--signal", "STOP", "ministack")
    threading.Timer(PAUSE_SECONDS, on, ("cloud", "systemctl", "kill", "--signal", "CONT", "ministack")).start()


INTERRUPTIONS: dict[str, Callable[[], None]] = {
    "capture killed": lambda: kill("capture-1", "logstash"),
    "consumers killed": lambda: kill("consumer-1", "logstash"),
    "Elasticsearch killed": lambda: kill("elasticsearch-1", "elasticsearch"),
    "capture host rebooted": lambda: reboot("capture-1"),
    "consumers host rebooted": lambda: reboot("consumer-1"),
    "AWS restarted": lambda: on("cloud", "systemctl", "restart", "ministack"),
    "AWS paused": pause_aws,
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_nothing_is_lost_or_doubled(landscape: Landscape, interruption: str) -> None:
    before = landscape.audit()
    traffic = landscape.traffic("--hits", str(HITS), "--rate", str(RATE))
    assert traffic.stdout is not None
    flowing = traffic.stdout.readline()
    assert "requests sent" in flowing
    INTERRUPTIONS[interruption]()
    sent = landscape.sent(traffic)
    found = grown(before, landscape.audit())
    assert found["delivered"] == HITS
    assert found["repeated"] == found["lost"] == 0
    assert found["events"] == found["archived"] == found["indexed"] == sent["event"]
    assert found["malformed"] == sent["malformed"]
