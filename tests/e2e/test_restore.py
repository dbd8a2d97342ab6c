# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's data is lost, and comes back from the snapshot and from the stream."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from urllib.error import HTTPError

import pytest

from .conftest import Landscape, grown

IN_PLACE = ("-e", "elasticsearch_restore_in_place=true", "-e", "elasticsearch_restore_wait_sleep=1")


def on_the_node(*command: str) -> None:
    subprocess.run(["podman", "exec", "elasticsearch-1", *command], check=True, capture_output=True)


@pytest.fixture
def snapshot(landscape: Landscape) -> Iterator[str]:
    """Today's, of what there is now."""
    name = f"simple-analytics-events-{datetime.now(UTC):%Y.%m.%d}"
    with suppress(HTTPError):
        landscape.elasticsearch("elastic", f"/_snapshot/simple-analytics/{name}", "DELETE")
    assert f"{name} taken" in landscape.playbook("snapshot")
    yield name
    for index in landscape.elasticsearch("elastic", "/restored-*"):
        landscape.elasticsearch("elastic", f"/{index}", "DELETE")


def test_what_was_destroyed_comes_back(landscape: Landscape, snapshot: str) -> None:
    before = landscape.known()
    sent = landscape.sent(landscape.traffic("--hits", "120", "--rate", "60", "--seed", "21"))
    assert grown(before, landscape.audit())["indexed"] == sent["event"]

    on_the_node("systemctl", "stop", "elasticsearch")
    on_the_node("find", "/var/lib/elasticsearch", "-mindepth", "1", "-delete")
    landscape.forget()
    landscape.playbook("search")
    foretold = landscape.playbook("restore", *IN_PLACE, "--check", "--diff")
    assert "nothing was written" in foretold
    # The day's index is made anew while it is being restored, or before.
    traffic = landscape.traffic("--hits", "300", "--rate", "30", "--seed", "22")
    said = landscape.playbook("restore", *IN_PLACE)
    assert f"from {snapshot}" in said
    (timestamp,) = re.findall(r"-e timestamp=([^;\s]+)", said)
    more = landscape.sent(traffic)
    landscape.playbook("rewind", "-e", "consumer=indexer", "-e", f"timestamp={timestamp}")

    changes = grown(before, landscape.audit())
    assert changes["lost"] == 0
    assert changes["events"] == changes["indexed"] == sent["event"] + more["event"]
    assert re.search(r"^elasticsearch-1 .*changed=0", landscape.playbook("restore", *IN_PLACE), flags=re.MULTILINE)
    # Kibana's token and what it kept were the cluster's, too.
    assert re.search(r"^kibana-1 .*changed=[1-9]", landscape.playbook("dashboards"), flags=re.MULTILINE)


def test_a_day_takes_the_place_of_the_living_one(landscape: Landscape, snapshot: str) -> None:
    before = landscape.known()
    index = snapshot  # they are named alike
    day = [*IN_PLACE, "-e", f"elasticsearch_restore_first={index[-10:]}"]
    (living,) = landscape.elasticsearch("elastic", f"/{index}/_mapping")
    traffic = landscape.traffic("--hits", "300", "--rate", "30", "--seed", "23")
    said = landscape.playbook("restore", *day)
    assert f"in the place of {living}" in said
    (restored,) = landscape.elasticsearch("elastic", f"/{index}/_mapping")
    assert restored != living
    sent = landscape.sent(traffic)
    (timestamp,) = re.findall(r"-e timestamp=([^;\s]+)", said)
    landscape.playbook("rewind", "-e", "consumer=indexer", "-e", f"timestamp={timestamp}")
    changes = grown(before, landscape.audit())
    assert changes["lost"] == 0
    assert changes["events"] == changes["indexed"] == sent["event"]
    assert re.search(r"^elasticsearch-1 .*changed=0", landscape.playbook("restore", *day), flags=re.MULTILINE)


def test_a_day_comes_back_beside_itself(landscape: Landscape, snapshot: str) -> None:
    index = snapshot  # they are named alike
    found = landscape.elasticsearch("reader", "/simple-analytics-events/_count")["count"]
    day = ["-e", f"elasticsearch_restore_first={index[-10:]}"]
    landscape.playbook("restore", *day)
    ours, theirs = (landscape.elasticsearch("elastic", f"/{each}/_count")["count"] for each in (index, "restored-*"))
    assert ours == theirs > 0
    assert landscape.elasticsearch("reader", "/simple-analytics-events/_count")["count"] == found
    assert re.search(r"^elasticsearch-1 .*changed=0", landscape.playbook("restore", *day), flags=re.MULTILINE)


def test_the_night_s_unit_takes_a_snapshot(landscape: Landscape, snapshot: str) -> None:
    path = f"/_snapshot/simple-analytics/{snapshot}"
    landscape.elasticsearch("elastic", path, "DELETE")
    on_the_node("systemctl", "start", "simple-analytics-snapshot.service")
    (found,) = landscape.elasticsearch("housekeeper", path)["snapshots"]
    assert (found["snapshot"], found["state"]) == (snapshot, "SUCCESS")
