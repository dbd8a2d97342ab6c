# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `elasticsearch` makes of its variables, and what its tasks say of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
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


def evaluate(expression: str, role: Path = ROLE, **variables: object) -> Any:  # noqa: ANN401 - whatever it comes to
    known = {**load("defaults/main.yml", role), **load("vars/main.yml", role), **GIVEN, **variables}
    return Templar(loader=DataLoader(), variables=known).template(trust_as_template("{{ " + expression + " }}"))


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
        assert evaluate(condition, elasticsearch_max_map_count=count) is wanted

    def test_days_until_a_certificate_is_made_anew(self) -> None:
        moment = evaluate("__certificate_renewal", ROLES / "certificate", certificate_renewal_days="30")
        assert moment > f"{datetime.now(UTC):%Y%m%d%H%M%SZ}"
