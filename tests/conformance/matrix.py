# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rewind is tried on: every pair of values stands in some row."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

VALUES = {
    "library": ("1.15.3", "2.7.2", "3.5.1"),
    "position": ("trim_horizon", "at_timestamp", "sequence_numbers", "latest"),
    "records": ("plain", "aggregated"),
    "lineage": ("unchanged", "split", "merge", "two-generations", "parents-cleaned"),
    "worker": ("stopped", "running", "killed"),
}


class Case(NamedTuple):
    library: str
    position: str
    records: str
    lineage: str
    worker: str


def read(table: str) -> list[Case]:
    return [Case(*line.split()) for line in table.strip().splitlines()]


# Every library on every lineage.
QUICK = read("""
1.15.3  trim_horizon      aggregated  unchanged        stopped
1.15.3  at_timestamp      plain       split            running
1.15.3  sequence_numbers  aggregated  merge            killed
1.15.3  latest            plain       two-generations  running
1.15.3  at_timestamp      aggregated  parents-cleaned  stopped
2.7.2   at_timestamp      aggregated  unchanged        running
2.7.2   sequence_numbers  plain       split            stopped
2.7.2   at_timestamp      plain       merge            stopped
2.7.2   trim_horizon      plain       two-generations  killed
2.7.2   at_timestamp      aggregated  parents-cleaned  running
3.5.1   sequence_numbers  aggregated  unchanged        running
3.5.1   latest            aggregated  split            stopped
3.5.1   trim_horizon      plain       merge            running
3.5.1   at_timestamp      aggregated  two-generations  killed
3.5.1   at_timestamp      plain       parents-cleaned  running
""")

# Every library on every lineage with its worker in every state, and with it every pair of values.
WIDE = QUICK + read("""
1.15.3  latest            plain       unchanged        running
1.15.3  latest            plain       unchanged        killed
1.15.3  trim_horizon      aggregated  split            stopped
1.15.3  sequence_numbers  plain       split            killed
1.15.3  latest            aggregated  merge            stopped
1.15.3  trim_horizon      aggregated  merge            running
1.15.3  sequence_numbers  plain       two-generations  stopped
1.15.3  trim_horizon      aggregated  two-generations  killed
1.15.3  sequence_numbers  plain       parents-cleaned  running
1.15.3  latest            aggregated  parents-cleaned  killed
2.7.2   latest            plain       unchanged        stopped
2.7.2   sequence_numbers  aggregated  unchanged        killed
2.7.2   latest            aggregated  split            running
2.7.2   trim_horizon      plain       split            killed
2.7.2   sequence_numbers  aggregated  merge            running
2.7.2   at_timestamp      plain       merge            killed
2.7.2   trim_horizon      plain       two-generations  stopped
2.7.2   latest            aggregated  two-generations  running
2.7.2   trim_horizon      plain       parents-cleaned  stopped
2.7.2   sequence_numbers  aggregated  parents-cleaned  killed
3.5.1   at_timestamp      plain       unchanged        stopped
3.5.1   trim_horizon      plain       unchanged        killed
3.5.1   trim_horizon      aggregated  split            running
3.5.1   latest            plain       split            killed
3.5.1   sequence_numbers  aggregated  merge            stopped
3.5.1   latest            plain       merge            killed
3.5.1   at_timestamp      aggregated  two-generations  stopped
3.5.1   sequence_numbers  plain       two-generations  running
3.5.1   latest            aggregated  parents-cleaned  stopped
3.5.1   trim_horizon      aggregated  parents-cleaned  killed
""")

# What happens while records flow and a running consumer is rewound, to its beginning or to a time.
TROUBLES = ("two-workers", "stealing", "paused-a-minute", "splitting", "merging")
QUICK_TROUBLED = [
    ("1.15.3", "stealing", "at_timestamp"),
    ("2.7.2", "two-workers", "trim_horizon"),
    ("3.5.1", "splitting", "at_timestamp"),
]
TROUBLED_POSITIONS = ("trim_horizon", "at_timestamp")
ALL_TROUBLED = list(product(VALUES["library"], TROUBLES, TROUBLED_POSITIONS))
WIDE_TROUBLED = [
    (library, trouble, TROUBLED_POSITIONS[number % 2])
    for number, (library, trouble) in enumerate(product(VALUES["library"], TROUBLES))
]

ALL = [Case(*values) for values in product(*VALUES.values())]
