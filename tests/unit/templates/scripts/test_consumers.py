# SPDX-License-Identifier: GPL-3.0-or-later
"""Consumers leave an event as capture made it; every script passes the tests inside it."""

from __future__ import annotations

import json

import pytest

from .conftest import KEY, SCRIPTS, Json, Scripts, line


def read_from_stream(scripts: Scripts, **more: Json) -> tuple[Json, Json]:
    """An event of capture's, and how a kinesis input with ECS hands it on."""
    [sent] = scripts.capture(line(**{"cs-uri-query": "event=view&tags=x"}))
    del sent["@metadata"]
    sent |= more
    arrived: Json = json.loads(json.dumps(sent))
    arrived["event"]["original"] = json.dumps(sent)
    arrived["@metadata"] = {"sequence_number": "49"}
    return sent, arrived


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.rb")), ids=lambda path: path.name)
def test_scripts_hold_tests_and_pass_them(path: str, scripts: Scripts, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    scripts.ruby.call("load_script", f"tests of {path}", str(path))
    assert "Test run complete" in caplog.text


@pytest.mark.parametrize("script", ["archiver", "indexer"])
def test_an_event_stays_as_it_was_sent(scripts: Scripts, script: str) -> None:
    sent, arrived = read_from_stream(scripts)
    [left] = scripts.run(script, arrived)
    del left["@metadata"]
    assert left == sent


@pytest.mark.parametrize("script", ["archiver", "indexer"])
@pytest.mark.parametrize(
    "record", [{"message": "{", "tags": ["_jsonparsefailure"]}, {"event": "text"}, {"event": {"action": "view"}}]
)
def test_a_record_that_is_no_event_is_said_and_left_out(
    scripts: Scripts, script: str, record: Json, caplog: pytest.LogCaptureFixture
) -> None:
    assert scripts.run(script, record | {"@metadata": {"sequence_number": "49"}}) == []
    assert "no event" in caplog.text
    assert "49" in caplog.text


@pytest.mark.parametrize("source, archived", [("raw", 1), ("archive", 0)])
def test_the_archive_takes_no_event_that_came_out_of_it(scripts: Scripts, source: str, archived: int) -> None:
    _, arrived = read_from_stream(scripts, labels={"replay": "r1", "replay_source": source})
    assert len(scripts.run("archiver", arrived)) == archived
    assert len(scripts.run("indexer", arrived)) == 1


@pytest.mark.parametrize(
    "ingested, version",
    [
        ("2024-05-01T12:00:01.234Z", 1_714_564_801_234),
        ("2024-05-01T12:00:01.999Z", 1_714_564_801_999),
        ("2024-05-01T12:00:01Z", 1_714_564_801_000),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_the_index_orders_by_when_an_event_was_made(scripts: Scripts, ingested: str | None, version: int) -> None:
    _, arrived = read_from_stream(scripts)
    arrived["event"]["ingested"] = ingested
    [left] = scripts.run("indexer", arrived)
    assert left["@metadata"]["version"] == version


def test_a_dead_letter_is_the_event_and_its_reason(scripts: Scripts) -> None:
    sent, arrived = read_from_stream(scripts)
    arrived["@metadata"] = {"dead_letter_queue": {"reason": f"refused {KEY}", "plugin_type": "elasticsearch"}}
    [left] = scripts.run("undeliverable", arrived)
    del left["@metadata"]
    assert left == sent | {"error": {"message": f"refused {KEY}", "type": "elasticsearch"}}
