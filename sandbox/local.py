# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the local landscape answers, read from its inventory."""

from __future__ import annotations

from pathlib import Path

import yaml

INVENTORY = Path(__file__).resolve().parents[1] / "inventories" / "local"


def address(host: str, group: dict[str, object]) -> str:
    """The address of a host, however deep its group lies."""
    for key, inner in group.items():
        if key == host and isinstance(inner, dict):
            return str(inner["simple_analytics_address"])
        if isinstance(inner, dict) and (found := address(host, inner)):
            return found
    return ""


_hosts = yaml.safe_load((INVENTORY / "hosts.yml").read_text())
_landscape = yaml.safe_load((INVENTORY / "group_vars" / "all" / "landscape.yml").read_text())

NAME: str = _landscape["simple_analytics_name"]
AWS = {
    "endpoint_url": f"http://{address('cloud', _hosts)}:4566",
    "region_name": _landscape["simple_analytics_region"],
    "aws_access_key_id": "test",
    "aws_secret_access_key": "local-secret-key",
}
EDGE = f"http://{address('cloud', _hosts)}:8080"
ELASTICSEARCH = f"https://{address('elasticsearch-1', _hosts)}:9200"
