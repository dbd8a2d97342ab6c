# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.lookup.mistyped_variables import mistyped

KNOWN = ["consumer", "timestamp", "shards", "allow_skip", "sequence_numbers"]


@pytest.mark.parametrize(
    "given, found",
    [
        ("shard", ["shard (shards?)"]),
        ("time_stamp", ["time_stamp (timestamp?)"]),
        ("allowskip", ["allowskip (allow_skip?)"]),
        ("sequence_number", ["sequence_number (sequence_numbers?)"]),
        ("shards", []),
        ("vault_kibana_client_secret", []),
        ("simple_analytics_name", []),
        ("ansible_user", []),
    ],
)
def test_what_resembles_a_known_name_is_found(given: str, found: list[str]) -> None:
    assert mistyped(["consumer", given], KNOWN) == found
