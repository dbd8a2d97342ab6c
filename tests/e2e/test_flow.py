# SPDX-License-Identifier: GPL-3.0-or-later
"""From the edge to archive and index, on the local landscape."""

from __future__ import annotations

import json

import pytest
import yaml

from sandbox.traffic import requests

from .conftest import ROOT, Json, Landscape, grown

HITS, SEED = 300, 11
FIXTURES = ROOT / "tests" / "fixtures" / "cloudfront"


@pytest.fixture(scope="module")
def run(landscape: Landscape) -> tuple[Json, Json, Json]:
    """What was sent, and the ledger before and after."""
    before = landscape.known()
    sent = landscape.sent(landscape.traffic("--hits", str(HITS), "--seed", str(SEED)))
    return sent, before, landscape.audit()


def test_every_request_ends_where_it_should(run: tuple[Json, Json, Json]) -> None:
    sent, before, after = run
    assert grown(before, after) == {
        "delivered": HITS,
        "filtered": sent["filtered"],
        "malformed": sent["malformed"],
        "events": sent["event"],
        "repeated": 0,
        "archived": sent["event"],
        "indexed": sent["event"],
        "undeliverable": 0,
        "lost": 0,
    }


@pytest.mark.usefixtures("run")
def test_raw_objects_move_on(landscape: Landscape) -> None:
    bucket, prefix = landscape.outputs["LogsBucketName"], landscape.outputs["LogsPrefix"]
    processed = landscape.s3.list_objects_v2(Bucket=bucket, Prefix=f"Processed/{prefix}")
    assert processed["KeyCount"] > 0
    assert landscape.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] == 0


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("store", ["events/", "malformed/", "stream", "index"])
def test_no_store_holds_a_whole_address_or_the_raw_line(landscape: Landscape, store: str) -> None:
    addresses = {request.headers["X-Forwarded-For"] for request in requests(HITS, SEED)}
    stores = {"stream": landscape.records, "index": landscape.documents}
    texts = list(stores[store]() if store in stores else landscape.texts(landscape.outputs["EventsBucketName"], store))
    assert texts
    assert [address for address in addresses if any(address in text for text in texts)] == []
    events = [json.loads(line)["event"] for text in texts for line in text.splitlines()]
    assert [event for event in events if "original" in event] == []


def test_log_files_end_as_the_table_says(landscape: Landscape) -> None:
    table = yaml.safe_load((FIXTURES / "expected.yml").read_text())["files"]
    expected = [table[file.name] for file in FIXTURES.iterdir() if file.suffix in (".log", ".gz")]
    before = landscape.known()
    assert landscape.sent(landscape.traffic("--logs", str(FIXTURES))) == {"objects": len(expected)}
    found = grown(before, landscape.audit())
    # Delivered before, in an earlier run, they are all repeated.
    assert found["events"] + found["repeated"] == sum(
        file["pixel"]["events"] + file["pixel"]["repeated"] for file in expected
    )
    assert found["delivered"] == sum(file["lines"] for file in expected)
    assert found["malformed"] == sum(sum(file["pixel"]["malformed"].values()) for file in expected)
    assert found["filtered"] == sum(file["pixel"]["filtered"] for file in expected)
    assert found["lost"] == 0
