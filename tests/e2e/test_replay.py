# SPDX-License-Identifier: GPL-3.0-or-later
"""Archived events sent again, on the local landscape."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import uuid
from datetime import datetime, timedelta

import pytest

from .conftest import ROOT, Json, Landscape, grown

HITS = 300


@pytest.fixture(scope="module")
def midnight(landscape: Landscape) -> datetime:
    """Before the newest event."""
    newest = json.loads(next(landscape.documents(size=1)))
    return datetime.fromisoformat(newest["@timestamp"]).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def span(midnight: datetime) -> list[str]:
    """That day and the next, which may have begun."""
    until = midnight + timedelta(days=2)
    return ["-e", f"event_replay_from={midnight.isoformat()}", "-e", f"event_replay_until={until.isoformat()}"]


def newest(landscape: Landscape) -> Json:
    """The newest document, with its index and version."""
    question = "/simple-analytics-events/_search?size=1&sort=@timestamp:desc&version=true"
    hit: Json = landscape.elasticsearch("reader", question)["hits"]["hits"][0]
    return hit


def archived(landscape: Landscape) -> int:
    """Lines of the archive, repeated ones too."""
    return sum(len(text.splitlines()) for text in landscape.texts(landscape.outputs["EventsBucketName"], "events/"))


def count(landscape: Landscape, query: Json) -> int:
    """Documents."""
    return int(landscape.elasticsearch("reader", "/simple-analytics-events/_count", "POST", {"query": query})["count"])


def test_by_way_of_the_stream_each_consumer_is_left_with_one(
    landscape: Landscape, midnight: datetime, span: list[str]
) -> None:
    before, lines = landscape.known(), archived(landscape)
    documents = count(landscape, {"range": {"@timestamp": {"gte": midnight.isoformat()}}})
    newer = newest(landscape)
    place = f"/{newer['_index']}/_doc/{newer['_id']}?version={newer['_version'] + 1}&version_type=external"
    landscape.elasticsearch("elastic", place, "PUT", {**newer["_source"], "labels": {"replay": "newer"}})

    name = f"e2e-{uuid.uuid4().hex}"
    asked = [*span, "-e", f"event_replay_name={name}"]
    foretold = landscape.playbook("replay", *asked, "--check")
    said = landscape.playbook("replay", *asked)
    assert re.findall(r"(\d+) events of \S+ .?B", foretold) == re.findall(rf"{name}: .* (\d+) events", said)

    # What is sent after it comes after it, to every consumer.
    sent = landscape.sent(landscape.traffic("--hits", str(HITS), "--seed", "7"))
    found = grown(before, landscape.audit())
    assert found["events"] == found["archived"] == found["indexed"] == sent["event"]
    assert found["undeliverable"] == found["lost"] == found["repeated"] == 0
    assert archived(landscape) - lines == sent["event"]
    stay = count(landscape, {"term": {"labels.replay": "newer"}})
    assert stay > 0
    assert count(landscape, {"term": {"labels.replay": name}}) == documents - stay


def test_straight_into_the_index_a_killed_one_goes_on(landscape: Landscape, span: list[str]) -> None:
    before = landscape.known()
    landscape.elasticsearch("elastic", f"/{newest(landscape)['_index']}", "DELETE")
    variables = {"target": "index", "wait_sleep": 2, "name": f"e2e-{uuid.uuid4().hex}"}
    asked = [*span, *(f"-eevent_replay_{name}={value}" for name, value in variables.items())]
    command = ["ansible-playbook", "playbooks/replay.yml", *asked, "-e", "event_replay_rate=200"]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert killed.stdout is not None
    first = next(line for line in killed.stdout if re.search(r"Replay the events: .* events", line))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    said = landscape.playbook("replay", *asked)
    went_on = [int(count) for count in re.findall(r"Replay the events: .*?(\d+) events", said)]
    reached = re.search(r"(\d+) events", first)
    assert reached
    assert all(count >= int(reached[1]) for count in went_on), (first, said)
    assert set(grown(before, landscape.audit()).values()) == {0}
    assert re.search(r"^consumer-1 .*changed=0", landscape.playbook("replay", *asked), flags=re.MULTILINE)
