# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._leases import Lease, Position
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._manifest import Manifest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._rewind import Move
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._stream import Record, Shard

FORMER = Lease.of(
    {
        "leaseKey": {"S": "a"},
        "checkpoint": {"S": "900"},
        "checkpointSubSequenceNumber": {"N": "2"},
        "leaseCounter": {"N": "17"},
        "leaseOwner": {"S": "worker"},
    }
)
MOVES = [
    Move(
        Shard("a", (), ("0", "9"), "100", "999"),
        FORMER,
        Position.before("300"),
        Record("300", datetime(2026, 11, 25, 14, 0, 0, 250000, tzinfo=UTC)),
        0,
    ),
    Move(Shard("b", ("a",), ("0", "9"), "1000", None), None, Position("TRIM_HORIZON"), None, 1),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    manifest = Manifest(str(tmp_path / "rewind"), "r1", "indexer", "events", MOVES, settled=False)
    manifest.create()
    return manifest


def test_it_is_read_as_it_was_written(manifest: Manifest) -> None:
    manifest.note("a")
    again = Manifest.load(manifest.path, "indexer", "events")
    assert again == manifest
    assert again.written == {"a"}


def test_an_entry_that_broke_off_says_nothing(manifest: Manifest) -> None:
    manifest.note("a")
    with open(manifest.path, "a", encoding="utf-8") as file:
        file.write('\n{"writ')
    again = Manifest.load(manifest.path, "indexer", "events")
    assert again.written == {"a"}
    again.note("b")
    assert Manifest.load(manifest.path, "indexer", "events").written == {"a", "b"}


def test_the_former_state_of_another_rewind_is_never_overwritten(manifest: Manifest) -> None:
    with pytest.raises(PipelineError, match=f"write the manifest {manifest.path}: File exists"):
        manifest.create()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="nowhere/rewind: No such file"):
        Manifest(str(tmp_path / "nowhere/rewind"), "r1", "indexer", "events", MOVES, settled=False).create()
    with pytest.raises(PipelineError, match="nowhere/rewind: No such file"):
        Manifest.load(str(tmp_path / "nowhere/rewind"), "indexer", "events")


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"id": "r1"}', '{"id": "r1", "moves": [{"shard": "a"}]}'])
def test_another_file_is_no_manifest(content: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(content)
    with pytest.raises(PipelineError, match="other: it is none"):
        Manifest.load(str(tmp_path / "other"), "indexer", "events")


@pytest.mark.parametrize(
    "former, edited", [('["300", -1]', '["banana", 0]'), ('["300", -1]', '["12", 0]'), ("900", "x")]
)
def test_one_that_was_edited_into_nonsense_is_refused(former: str, edited: str, manifest: Manifest) -> None:
    path = Path(manifest.path)
    assert former in path.read_text()
    path.write_text(path.read_text().replace(former, edited))
    with pytest.raises(PipelineError, match="it is none"):
        Manifest.load(manifest.path, "indexer", "events")


@pytest.mark.parametrize("application, stream", [("archiver", "events"), ("indexer", "other")])
def test_it_serves_the_consumer_it_is_of(application: str, stream: str, manifest: Manifest) -> None:
    with pytest.raises(PipelineError, match="is of 'indexer' on stream 'events'"):
        Manifest.load(manifest.path, application, stream)
