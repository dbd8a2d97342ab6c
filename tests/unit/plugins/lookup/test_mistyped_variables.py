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


@pytest.mark.parametrize(
    "given, found",
    [
        ("elasticsearch_restor_first", ["elasticsearch_restor_first (elasticsearch_restore_first?)"]),
        ("restore_first", ["restore_first (elasticsearch_restore_first?)"]),
        ("elasticsearch_version", []),
        ("elasticsearch_reindex_first", []),
    ],
)
def test_names_that_begin_alike_have_to_resemble_each_other_more(given: str, found: list[str]) -> None:
    assert mistyped([given], ["elasticsearch_restore_first", "elasticsearch_restore_in_place"], 0.9) == found
