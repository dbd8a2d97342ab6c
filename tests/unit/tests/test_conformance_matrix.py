# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables of cases promise."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests.collection_copy import ROOT
from tests.conformance.matrix import ALL, QUICK, VALUES, WIDE, Case


def pairs(case: Case) -> set[tuple[str, str]]:
    return set(combinations(case, 2))


def test_every_pair_of_values_is_tried() -> None:
    missing = set().union(*map(pairs, ALL)) - set().union(*map(pairs, WIDE))
    assert missing == set()


@pytest.mark.parametrize("table", [QUICK, WIDE], ids=["quick", "wide"])
def test_each_row_is_a_case_of_its_own(table: list[Case]) -> None:
    assert set(table) <= set(ALL)
    assert len(set(table)) == len(table)


def test_every_library_meets_every_lineage() -> None:
    met = {(case.library, case.lineage) for case in QUICK}
    assert met == set(product(VALUES["library"], VALUES["lineage"]))


def test_every_library_meets_every_lineage_with_its_worker_in_every_state() -> None:
    met = {(case.library, case.lineage, case.worker) for case in WIDE}
    assert met == set(product(VALUES["library"], VALUES["lineage"], VALUES["worker"]))


def test_the_documentation_shows_what_was_tried() -> None:
    cells = {(case.lineage, case.worker, case.library): f"{case.position}, {case.records}" for case in WIDE}
    rows = [
        f"| {lineage}, {worker} | {' | '.join(cells[lineage, worker, library] for library in VALUES['library'])} |"
        for lineage, worker in product(VALUES["lineage"], VALUES["worker"])
    ]
    assert "\n".join(rows) in (ROOT / "docs" / "rewind.md").read_text()
