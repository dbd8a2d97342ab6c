# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `elasticsearch` makes of its variables, and what its tasks say of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[3] / "roles"
ROLE = ROLES / "elasticsearch"
HOSTS = [{"name": f"node-{number}", "address": f"192.0.2.{number}"} for number in (1, 2, 3)]
GIVEN = {
    "ansible_managed": "Ansible managed",
    "elasticsearch_hosts": HOSTS,
    "inventory_hostname": "node-1",
    "role_path": str(ROLE),
    "simple_analytics_name": "analytics-test",
}


def load(path: str, role: Path = ROLE) -> Any:  # noqa: ANN401 - YAML
    return DataLoader().load_from_file(str(role / path), trusted_as_template=True)


def templar(role: Path, variables: dict[str, object]) -> Templar:
    known = {**load("defaults/main.yml", role), **load("vars/main.yml", role), **GIVEN, **variables}
    return Templar(loader=DataLoader(), variables=known)


def evaluate(expression: str, role: Path = ROLE, **variables: object) -> Any:  # noqa: ANN401 - whatever it comes to
    return templar(role, variables).template(trust_as_template("{{ " + expression + " }}"))


def holds(condition: str, **variables: object) -> bool:
    """As in `when`, which takes a backslash otherwise than a template."""
    return bool(templar(ROLE, variables).evaluate_conditional(condition))


def task(file: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in load(f"tasks/{file}.yml") if each["name"] == name]
    return dict(found)


class TestNumbersOfTheCommandLine:
    """`-e` hands over texts."""

    @pytest.mark.parametrize("days, wanted", [("400", True), ("0", False), (400, True), (0, False)])
    def test_days_of_retention(self, days: object, wanted: bool) -> None:
        jobs = evaluate("__elasticsearch_jobs", elasticsearch_retention_days=days)
        assert {job["name"]: job["wanted"] for job in jobs}["retention"] is wanted

    @pytest.mark.parametrize("count, wanted", [("262144", True), ("0", False)])
    def test_memory_maps(self, count: str, wanted: bool) -> None:
        condition = task("configure", "Set the limit of memory maps")["when"]
        assert holds(condition, elasticsearch_max_map_count=count) is wanted

    def test_days_until_a_certificate_is_made_anew(self) -> None:
        moment = evaluate("__certificate_renewal", ROLES / "certificate", certificate_renewal_days="30")
        assert moment > f"{datetime.now(UTC):%Y%m%d%H%M%SZ}"


class TestFounding:
    @pytest.mark.parametrize(
        "roles, founders",
        [
            ([None, None, None], "node-1,node-2,node-3"),
            ([["master"], ["data", "ingest"], ["data", "master"]], "node-1,node-3"),
            ([["data"], [], ["voting_only", "master"]], "node-2,node-3"),
        ],
        ids=["no node has roles of its own", "some hold data only", "one has all"],
    )
    def test_those_that_may_become_master_found_the_cluster(self, roles: list[list[str] | None], founders: str) -> None:
        hosts = [host if its is None else {**host, "roles": its} for host, its in zip(HOSTS, roles, strict=True)]
        template = "lookup('ansible.builtin.template', role_path ~ '/templates/elasticsearch.yml.j2')"
        text = evaluate(template, elasticsearch_hosts=hosts, __elasticsearch_founding=True)
        assert f"cluster.initial_master_nodes: {founders}\n" in text
        assert yaml.safe_load(text)["discovery.seed_hosts"] == [host["address"] for host in HOSTS]


class TestAllocation:
    """The node whose turn it is may not have come back, and another may be away."""

    def test_all_other_nodes_are_asked(self) -> None:
        asked = task("allocation", "Set which shards may move")
        assert evaluate(asked["loop"][3:-3]) == ["192.0.2.2", "192.0.2.3"]
        assert asked["ansible.builtin.uri"]["url"].startswith("https://{{ item }}:9200/")

    @pytest.mark.parametrize("statuses, enough", [((-1, 200), True), ((-1, 503), False)])
    def test_one_that_answers_is_enough(self, statuses: tuple[int, ...], enough: bool) -> None:
        assert task("allocation", "Set which shards may move")["failed_when"] is False
        condition = task("allocation", "Demand that a node took it")["ansible.builtin.assert"]["that"]
        results = [{"status": status} for status in statuses]
        assert holds(condition, __elasticsearch_allocated={"results": results}) is enough


class TestKeystore:
    @pytest.mark.parametrize(
        "value, kept, changes",
        [("a", "a", False), (5, "5", False), ("a\n", "a", False), (" a ", " a ", False), ("a", "b", True)],
    )
    def test_only_another_value_is_written(self, value: object, kept: str, changes: bool) -> None:
        condition = task("configure", "Keep secure settings")["when"]
        assert holds(condition, item={"rc": 0, "stdout": kept, "item": {"value": value}}) is changes
