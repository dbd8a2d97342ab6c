# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever fails while traffic flows: the ledger closes, and no event is there twice."""

from __future__ import annotations

import subprocess
import threading

from .conftest import Landscape, grown

RATE = 20
EVERY_SECONDS = 12  # long enough for the one to show, too short for all of them to be over before the next
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


INTERRUPTIONS = {
    "capture killed": lambda: kill("capture-1", "logstash"),
    "consumers killed": lambda: kill("consumer-1", "logstash"),
    "Elasticsearch killed": lambda: kill("elasticsearch-1", "elasticsearch"),
    "capture host rebooted": lambda: reboot("capture-1"),
    "consumers host rebooted": lambda: reboot("consumer-1"),
    "AWS restarted": lambda: on("cloud", "systemctl", "restart", "ministack"),
    "AWS paused": pause_aws,
}


def progress(line: str) -> int:
    """How many requests a line of the traffic's says to be sent."""
    return int(line.split()[0]) if "requests sent" in line else 0


def test_nothing_is_lost_or_doubled(landscape: Landscape) -> None:
    hits = RATE * EVERY_SECONDS * (len(INTERRUPTIONS) + 1)
    before = landscape.known()
    traffic = landscape.traffic("--hits", str(hits), "--rate", str(RATE), "--seed", "3")
    assert traffic.stdout is not None
    for number, (name, interrupt) in enumerate(INTERRUPTIONS.items(), 1):
        while progress(traffic.stdout.readline()) < number * RATE * EVERY_SECONDS:
            assert traffic.poll() is None
        print(f"{name}, {number * EVERY_SECONDS} s after the first request", flush=True)
        interrupt()
    sent = landscape.sent(traffic)
    found = grown(before, landscape.audit())
    assert found["delivered"] == hits
    assert found["repeated"] == found["lost"] == 0
    assert found["events"] == found["archived"] == found["indexed"] == sent["event"]
    assert found["malformed"] == sent["malformed"]
