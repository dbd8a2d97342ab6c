# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
LOCAL = yaml.safe_load((ROOT / "inventories/local/hosts.yml").read_text())["all"]
MOLECULE = yaml.safe_load((ROOT / "extensions/molecule/inventory/hosts.yml").read_text())["all"]


def addresses(group: dict[str, Any]) -> dict[str, str]:
    found = {name: host["simple_analytics_address"] for name, host in (group.get("hosts") or {}).items()}
    for child in (group.get("children") or {}).values():
        found |= addresses(child)
    return found


def test_every_host_has_an_address_of_its_own_in_the_network() -> None:
    hosts = addresses(LOCAL) | addresses(MOLECULE)
    network = ip_network(LOCAL["vars"]["sandbox_subnet"])
    assert len(set(hosts.values())) == len(addresses(LOCAL)) + len(addresses(MOLECULE))
    assert [name for name, address in hosts.items() if ip_address(address) not in network] == []


MACHINE = {task["name"]: task for task in yaml.safe_load((ROOT / "sandbox/hosts/machine.yml").read_text())}
APT = MACHINE["Point the hosts at the same Debian mirror"]["vars"]


@pytest.mark.parametrize(
    "target, source",
    [
        ("http://mirror.example/debian/ bookworm main", "http://mirror.example/debian/ trixie main"),
        ("http://mirror.example/debian/ bookworm-updates main", "http://mirror.example/debian/ trixie-updates main"),
        (
            "https://mirror.example/debian-security/ bookworm-security main",
            "https://mirror.example/debian-security/ trixie-security main",
        ),
        ("http://mirror.example/debian/ bookworm contrib", None),
        ("http://mirror.example/debian/ bookworm-backports main", None),
        ("https://vendor.example/tool/ bookworm main", None),
        ("https://vendor.example/linux/debian/ bookworm stable", None),
    ],
)
def test_hosts_take_debians_own_sources_of_this_machine_with_another_suite(target: str, source: str | None) -> None:
    match = re.match(APT["sandbox_apt_debian"], target)
    assert (match is None) == (source is None)
    if match and source:
        template = APT["sandbox_apt_source"].replace("{{ sandbox_suite }}", "trixie")
        assert match.expand(template).endswith(f" {source}")
