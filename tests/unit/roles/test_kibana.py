# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `kibana` makes of its variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[3] / "roles" / "kibana"
ANONYMOUS = "xpack.security.authc.providers.anonymous.anonymous1"
READER = {"username": "reader", "password": "secret"}


def evaluate(name: str, **variables: object) -> Any:  # noqa: ANN401 - any value
    loader = DataLoader()
    files = [
        loader.load_from_file(str(ROLE / folder / "main.yml"), trusted_as_template=True)
        for folder in ("defaults", "vars")
    ]
    given = {
        "inventory_hostname": "kibana-1",
        "kibana_encryption_key": "0" * 32,
        "kibana_elasticsearch_urls": [],
        **variables,
    }
    return Templar(loader=loader, variables={**files[0], **files[1], **given}).template(
        trust_as_template("{{ " + name + " }}")
    )


def asked(**nodes: str | None) -> dict[str, Any]:
    """What nodes answered when they were asked one after the other: their versions, or nothing."""
    answers = {
        name: {"status": 200, "json": {"nodes": {"1": {"version": "9.10.0"}, "2": {"version": version}}}}
        for name, version in nodes.items()
        if version
    }
    return {"results": [{"item": name, "status": -1, **answers.get(name, {})} for name in nodes]}


class TestCluster:
    def test_it_is_asked_before_anything_is_changed(self) -> None:
        tasks = DataLoader().load_from_file(str(ROLE / "tasks" / "host.yml"))
        assert tasks[0]["ansible.builtin.import_tasks"] == "cluster.yml"

    def test_a_node_that_is_away_is_passed_over(self) -> None:
        found = evaluate("__kibana_elasticsearch_url", __kibana_asked=asked(first=None, second="9.4.3"))
        assert found == "second"

    @pytest.mark.parametrize(
        "wanted, older", [("9.4.3", []), ("9.4.10", ["9.4.3"]), ("9.10.0", ["9.4.3"]), ("10.0.0", ["9.10.0", "9.4.3"])]
    )
    def test_kibana_is_newer_than_no_node(self, wanted: str, older: list[str]) -> None:
        assert evaluate("__kibana_older", kibana_version=wanted, __kibana_asked=asked(first="9.4.3")) == older


class TestUnwanted:
    def test_it_is_what_the_role_had_for_everybody(self) -> None:
        with_reader, without = (set(evaluate("__kibana_secrets", kibana_anonymous=user)) for user in (READER, {}))
        assert set(evaluate("__kibana_unwanted")) == with_reader - without

    @pytest.mark.parametrize(
        "variables",
        [{"kibana_anonymous": READER}, {"kibana_settings": {f"{ANONYMOUS}.order": 0}}],
        ids=["the role's", "the operator's"],
    )
    def test_a_provider_that_there_is_keeps_its_password(self, variables: dict[str, Any]) -> None:
        assert evaluate("__kibana_unwanted", **variables) == []


def test_check_mode_tells_what_changes_in_the_keystore() -> None:
    """Ansible leaves out a command in check mode, unless it knows of a file that the command makes or takes away."""
    tasks = DataLoader().load_from_file(str(ROLE / "tasks" / "keystore.yml"))
    commands = [task["ansible.builtin.command"] for task in tasks if task.get("changed_when")]
    assert [command["argv"] for command in commands if "removes" not in command] == []
    assert len(commands) == 2
