# SPDX-License-Identifier: GPL-3.0-or-later
"""Days that are over, as an operator looks for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from .conftest import Landscape


@pytest.fixture
def old(landscape: Landscape) -> Iterator[str]:
    """An index of a day that is over; it has no event, so the ledger closes all the same."""
    index = "simple-analytics-events-2001.02.03"
    landscape.elasticsearch("elastic", f"/{index}", "PUT")
    yield index
    landscape.elasticsearch("elastic", f"/{index}", "DELETE")


def test_a_check_names_what_would_go(landscape: Landscape, old: str) -> None:
    said = landscape.playbook("retention", "-e", "elasticsearch_retention_days=400", "--check")
    assert f"{old} would be removed" in said
    assert f"{datetime.now(UTC):%Y.%m.%d} would" not in said
    assert old in landscape.elasticsearch("elastic", f"/{old}")
