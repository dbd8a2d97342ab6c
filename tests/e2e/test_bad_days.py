# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad days of the cluster: indexing resumes by itself, or the status says what to do; nothing is lost, nothing doubled.

They befall the only node of the local landscape, for some seconds. With `--long` each lasts for more than a minute, and
where there are three nodes (`make test-bad-days`) it is the one that the others follow.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError

import pytest

from .conftest import Json, Landscape, grown, until
from .test_status import status

RATE, SHORT, LONG = 20, 10, 75  # requests a second, and for how many seconds
SEED = 41
DATA, DISK, DISK_SIZE = "/var/lib/elasticsearch", "/mnt", "256m"
FILLER = f"{DATA}/filler"
SETTINGS = "/etc/elasticsearch/elasticsearch.yml"
LIMIT = "indexing_pressure.memory.limit: 1kb"


def podman(*command: str) -> str:
    return subprocess.run(["podman", *command], check=True, capture_output=True, text=True).stdout


def on(node: str, *command: str) -> str:
    return podman("exec", node, *command)


def mount(node: str, *arguments: str, command: str = "mount") -> None:
    """From outside, as a host of the landscape may not."""
    process = podman("inspect", "--format", "{{.State.Pid}}", node).strip()
    subprocess.run(["nsenter", "--target", process, "--mount", command, *arguments], check=True)


class Cluster:
    """The nodes, as the first one knows them, and the one that has the bad day."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape = landscape
        self.nodes = sorted(podman("ps", "--filter", "name=^elasticsearch-", "--format", "{{.Names}}").split())
        self.first, self.victim = self.nodes[0], self.nodes[-1]

    def ask(self, path: str, method: str = "GET", body: Json | None = None, timeout: float = 60) -> Json:
        return self._landscape.elasticsearch("elastic", path, method, body, timeout)

    def others(self) -> int:
        """How many nodes the first one sees beside itself; -1 when it does not answer."""
        try:
            found: int = self.ask("/_cluster/health?timeout=1s&master_timeout=1s", timeout=3)["number_of_nodes"]
        except (HTTPError, URLError, TimeoutError):
            return -1
        return found - 1

    def is_without_victim(self) -> bool:
        return self.others() == len(self.nodes) - 2

    def is_whole(self) -> bool:
        return self.others() == len(self.nodes) - 1

    def is_blocked(self) -> bool:
        return bool(self.ask("/simple-analytics-events-*/_settings/index.blocks.read_only_allow_delete"))

    def is_turning_away(self) -> bool:
        nodes = self.ask("/_nodes/stats/indexing_pressure")["nodes"].values()
        return any(node["indexing_pressure"]["memory"]["total"]["coordinating_rejections"] for node in nodes)

    def restart(self, node: str, action: str = "restart") -> None:
        on(node, "systemctl", action, "elasticsearch")

    def look_at_disks_each(self, interval: str | None) -> None:
        self.ask("/_cluster/settings", "PUT", {"persistent": {"cluster.info.update.interval": interval}})

    def follow_victim(self) -> None:
        """Have the cluster elect it, or one that is the victim from now on."""
        if len(self.nodes) == 1:
            return
        self.ask(f"/_cluster/voting_config_exclusions?node_names={self.first}", "POST")
        self.ask("/_cluster/voting_config_exclusions?wait_for_removal=false", "DELETE")
        master = self.ask("/_cluster/state/master_node,nodes")
        self.victim = master["nodes"][master["master_node"]]["name"]


@contextmanager
def full_disk(cluster: Cluster) -> Iterator[None]:
    """The victim's data move to a small disk, which something else fills."""
    node = cluster.victim
    cluster.restart(node, "stop")
    mount(node, "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", DISK)
    on(node, "cp", "--archive", f"{DATA}/.", DISK)
    mount(node, "--bind", DISK, DATA)
    cluster.restart(node, "start")
    until("all nodes are there", cluster.is_whole)
    cluster.look_at_disks_each("10s")
    try:
        left = int(on(node, "df", "--output=avail", "-B1", DATA).split()[-1])
        on(node, "fallocate", "--length", str(left - 8 * 1024 * 1024), FILLER)
        yield
    finally:
        on(node, "rm", FILLER)
        until("writes are let in again", lambda: not cluster.is_blocked())
        cluster.look_at_disks_each(None)
        cluster.restart(node, "stop")
        mount(node, DATA, command="umount")
        on(node, "find", DATA, "-mindepth", "1", "-delete")
        on(node, "cp", "--archive", f"{DISK}/.", DATA)
        mount(node, DISK, command="umount")
        cluster.restart(node, "start")


@contextmanager
def paused(cluster: Cluster) -> Iterator[None]:
    """It neither works nor closes a connection."""
    command = ("systemctl", "kill", "elasticsearch", "--signal")
    on(cluster.victim, *command, "STOP")
    try:
        yield
    finally:
        on(cluster.victim, *command, "CONT")


@contextmanager
def cut_off(cluster: Cluster) -> Iterator[None]:
    """Nothing that it sends reaches the other nodes; of an only node, nothing reaches who writes to it."""
    others = [node for node in cluster.nodes if node != cluster.victim] or ["consumer-1"]
    addresses = [on(cluster.victim, "getent", "ahostsv4", other).split()[0] for other in others]
    for address in addresses:
        on(cluster.victim, "ip", "route", "add", "blackhole", address)
    try:
        yield
    finally:
        for address in addresses:
            on(cluster.victim, "ip", "route", "delete", "blackhole", address)


@contextmanager
def pressed(cluster: Cluster) -> Iterator[None]:
    """No node has memory for what it is to index, and turns it away with 429."""

    def each(*command: str) -> None:
        for node in cluster.nodes:
            on(node, *command)
            cluster.restart(node)

    each("sh", "-c", f"echo '{LIMIT}' >> {SETTINGS}")
    until("all nodes are there", cluster.is_whole)
    try:
        yield
    finally:
        each("sed", "--in-place", f"/^{LIMIT}$/d", SETTINGS)


class BadDay(NamedTuple):
    begin: Callable[[Cluster], AbstractContextManager[None]]
    is_felt: Callable[[Cluster], bool]
    said: str = ""  # of the status, who is not well

    def says(self, cluster: Cluster) -> str:
        return self.said.format(victim=cluster.victim)


BAD_DAYS = {
    "disk above the flood stage": BadDay(full_disk, Cluster.is_blocked, "cluster's disk"),
    "paused node": BadDay(paused, Cluster.is_without_victim, "node {victim}"),
    "network split": BadDay(cut_off, lambda cluster: len(cluster.nodes) == 1 or cluster.is_without_victim()),
    "bulk rejections": BadDay(pressed, Cluster.is_turning_away),
}


@pytest.mark.parametrize("name", BAD_DAYS)
def test_nothing_is_lost(landscape: Landscape, tmp_path: Path, name: str, long: bool) -> None:
    day, cluster = BAD_DAYS[name], Cluster(landscape)
    before = landscape.known()
    hits = RATE * (LONG if long else SHORT)
    cluster.follow_victim()
    with day.begin(cluster):
        traffic = landscape.traffic("--hits", str(hits), "--rate", str(RATE), "--seed", str(SEED))
        until(f"{name} is felt", lambda: day.is_felt(cluster))
        if day.said:
            code, said, checks = status(tmp_path / "status.json")
            assert code != 0
            assert not checks[day.says(cluster)]["ok"], said
            print(json.dumps([check for check in checks.values() if not check["ok"]], indent=2))
        sent = landscape.sent(traffic)
    until("all nodes are there", cluster.is_whole)
    found = grown(before, landscape.audit())
    assert found["delivered"] == hits
    assert found["repeated"] == found["lost"] == 0
    assert found["events"] == found["archived"] == found["indexed"] == sent["event"]
