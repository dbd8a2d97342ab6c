# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Waiting: options of the modules whose actions wait, and the pauses between attempts at one call."""

from __future__ import annotations

import typing as t

# What comes after a shard's limit, to a full queue, or before shards are up, is tried again for a minute and a quarter.
ATTEMPTS = 20
LONGEST_PAUSE = 5.0
# A module tells once how far it is.
WAIT_SPEC: dict[str, dict[str, t.Any]] = {
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "wait_sleep": {"type": "int", "default": 5},
}


def pauses() -> t.Iterator[float]:
    """Seconds to wait between attempts."""
    for attempt in range(ATTEMPTS):
        yield min(LONGEST_PAUSE, 0.1 * 2**attempt)
