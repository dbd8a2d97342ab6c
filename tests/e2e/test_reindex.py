# SPDX-License-Identifier: GPL-3.0-or-later
"""The day's index made anew by new templates, while it is written and searched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.error import URLError

import pytest
import yaml

from .conftest import ROOT, Landscape, grown, until

HITS, RATE = 900, 30
DOCUMENTS = 300
TEMPLATE = "simple-analytics-events-mappings"


@pytest.fixture(scope="module")
def day() -> str:
    return f"{datetime.now(UTC):%Y.%m.%d}"


@contextmanager
def searched(landscape: Landscape) -> Iterator[list[int]]:
    """How many documents a reader finds, again and again. A search that fails ends the test."""
    over, found = threading.Event(), list[int]()

    def search() -> None:
        while not over.wait(0.05):
            found.append(landscape.elasticsearch("reader", "/simple-analytics-events/_count")["count"])

    searcher = threading.Thread(target=search)
    searcher.start()
    try:
        yield found
        assert searcher.is_alive()
    finally:
        over.set()
        searcher.join()


def action_of(landscape: Landscape, index: str) -> tuple[str, object]:
    """The index behind a name, and its mapping of `event.action`."""
    ((concrete, made),) = landscape.elasticsearch("elastic", f"/{index}/_mapping").items()
    return concrete, made["mappings"]["properties"]["event"]["properties"]["action"]


def test_nobody_notices_and_nothing_is_lost(landscape: Landscape, day: str) -> None:
    before = landscape.known()
    index = f"simple-analytics-events-{day}"
    asked = ["-e", f"elasticsearch_reindex_first={day}", "-e", "elasticsearch_reindex_wait_sleep=1"]
    template = yaml.safe_load((ROOT / "templates/index/component_template" / f"{TEMPLATE}.yml").read_text())
    action = template["template"]["mappings"]["properties"]["event"]["properties"]["action"]
    _, former = action_of(landscape, index)
    wanted = {**action, "ignore_above": 512}
    template["template"]["mappings"]["properties"]["event"]["properties"]["action"] = wanted
    landscape.elasticsearch("elastic", f"/_component_template/{TEMPLATE}", "PUT", template)
    traffic = landscape.traffic("--hits", str(HITS), "--rate", str(RATE), "--seed", "11")

    with searched(landscape) as found:
        said = landscape.playbook("reindex", *asked)
        filled, mapping = action_of(landscape, index)
        assert (mapping, re.search(r"1 of 1 indices as asked", said) is not None) == (wanted, True), said
        assert traffic.poll() is None
        landscape.playbook("search")  # puts the template right

        slow = ["ansible-playbook", "playbooks/reindex.yml", *asked, "-e", "elasticsearch_reindex_rate=100"]
        killed = subprocess.Popen(slow, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert killed.stdout is not None
        next(line for line in killed.stdout if re.search(r"1 copying", line))
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        assert action_of(landscape, index) == (filled, wanted)
        landscape.playbook("reindex", *asked)
        final, mapping = action_of(landscape, index)
        assert (mapping, final > filled) == (former, True)
        sent = landscape.sent(traffic)
    assert found == sorted(found)

    changes = grown(before, landscape.audit())
    assert changes["repeated"] == changes["lost"] == 0
    assert changes["events"] == changes["archived"] == changes["indexed"] == sent["event"]
    assert re.search(r"^elasticsearch-1 .*changed=0", landscape.playbook("reindex", *asked), flags=re.MULTILINE)


@pytest.fixture
def old_day(landscape: Landscape, day: str) -> Iterator[str]:
    """A day that is over, as a former template made it."""
    over = "2020.01.01"
    index, today = f"simple-analytics-events-{over}", f"simple-analytics-events-{day}"
    landscape.elasticsearch("elastic", f"/{index}", "PUT", {"mappings": {"_meta": {"template": "former"}}})
    copied = {"max_docs": DOCUMENTS, "source": {"index": today}, "dest": {"index": index}}
    landscape.elasticsearch("elastic", "/_reindex?refresh=true", "POST", copied)
    yield over
    for each in landscape.elasticsearch("elastic", f"/{index}*"):
        landscape.elasticsearch("elastic", f"/{each}", "DELETE")


def copier(landscape: Landscape) -> str:
    """The node on which a reindex runs."""
    nodes = landscape.elasticsearch("elastic", "/_tasks?actions=indices:data/write/reindex")["nodes"].values()
    (name,) = (node["name"] for node in nodes if any("parent_task_id" not in task for task in node["tasks"].values()))
    return str(name)


def has(landscape: Landscape, index: str, documents: int) -> bool:
    """Whether so many are found there; never while no node answers."""
    try:
        return bool(landscape.elasticsearch("elastic", f"/{index}/_count")["count"] == documents)
    except URLError:
        return False


def test_it_outlives_the_node_that_copies(landscape: Landscape, old_day: str) -> None:
    asked = ["-e", f"elasticsearch_reindex_first={old_day}", "-e", f"elasticsearch_reindex_last={old_day}"]
    asked += ["-e", "elasticsearch_reindex_wait_sleep=1", "-e", f"elasticsearch_reindex_rate={DOCUMENTS // 10}"]
    command = ["ansible-playbook", "playbooks/reindex.yml", *asked]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.stdout is not None
    next(line for line in run.stdout if re.search(r"1 copying", line))
    kill = ["systemctl", "kill", "--signal", "KILL", "--kill-whom", "all", "elasticsearch"]
    subprocess.run(["podman", "exec", copier(landscape), *kill], check=True)
    said, _ = run.communicate()
    assert run.returncode == 0, said
    assert f"1 of 1 indices as asked; {DOCUMENTS} of {DOCUMENTS} documents" in said
    until("all documents are there", lambda: has(landscape, f"simple-analytics-events-{old_day}", DOCUMENTS))
