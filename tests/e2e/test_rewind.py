# SPDX-License-Identifier: GPL-3.0-or-later
"""The day an index template went out wrong, to its good end."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import yaml

from .conftest import ROOT, Json, Landscape, grown

HITS, RATE = 1400, 20  # longer than the operator needs
TEMPLATE = "simple-analytics-events-mappings"


def day_made_anew(landscape: Landscape, index: str, traffic: subprocess.Popen[str]) -> Json:
    """Delete the day's index, and say how the one that the next event makes maps `event.action`."""
    (there,) = landscape.elasticsearch("elastic", f"/{index}/_mapping")
    landscape.elasticsearch("elastic", f"/{there}", "DELETE")
    while traffic.poll() is None:
        made = landscape.elasticsearch("elastic", f"/{index}*/_mapping")
        if index in made:
            mapping: Json = made[index]["mappings"]["properties"]["event"]["properties"]["action"]
            return mapping
    raise AssertionError("The traffic ended before an event of today was indexed.")


def test_an_index_that_was_mapped_wrongly_is_made_again_from_the_stream(landscape: Landscape, tmp_path: Path) -> None:
    before = landscape.known()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    index = f"simple-analytics-events-{midnight:%Y.%m.%d}"
    right = yaml.safe_load((ROOT / "templates/index/component_template" / f"{TEMPLATE}.yml").read_text())
    wrong = yaml.safe_load((ROOT / "templates/index/component_template" / f"{TEMPLATE}.yml").read_text())
    wrong["template"]["mappings"]["properties"]["event"]["properties"]["action"] = {"type": "text"}
    traffic = landscape.traffic("--hits", str(HITS), "--rate", str(RATE), "--seed", "5")

    landscape.elasticsearch("elastic", f"/_component_template/{TEMPLATE}", "PUT", wrong)
    assert day_made_anew(landscape, index, traffic) == {"type": "text"}
    assert "changed" in landscape.playbook("search")
    assert (
        day_made_anew(landscape, index, traffic)
        == right["template"]["mappings"]["properties"]["event"]["properties"]["action"]
    )
    position = ["-e", "consumer=indexer", "-e", f"timestamp={midnight.isoformat()}"]
    said = landscape.playbook("rewind", *position, folder=tmp_path)

    assert re.search(r"(\d+) shards to move: \1 written, \1 taken again, \1 moved on", said), said
    (manifest,) = tmp_path.iterdir()
    assert f"-e consumer=indexer -e restore={manifest}" in " ".join(said.split()), said
    assert "2 shards read by consumer-1" in landscape.playbook("consumers")
    sent = landscape.sent(traffic)
    found = grown(before, landscape.audit())
    assert found["repeated"] == found["lost"] == 0
    assert found["events"] == found["archived"] == found["indexed"] == sent["event"]
