# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Keeps several threads together below a rate."""

from __future__ import annotations

import time
from math import inf
from threading import Lock

# How much is sent at once, and how much a pause is made up for. With less, each wait would be too short to be kept to.
BURST_SECONDS = 0.2


class Pace:
    """Events and bytes a second, over all that share it; 0 is no limit."""

    def __init__(self, events: float, size: float = 0) -> None:
        self._rates = (events, size)
        self._free, self._begun = time.monotonic(), False
        self._lock = Lock()

    def at_once(self, events: int, size: int) -> tuple[float, float]:
        """How much of this may be sent together, and one event more, which is all there is to a slow rate."""
        allowed = (rate * BURST_SECONDS or inf for rate in self._rates)
        most_events, most_bytes = (min(much, most) for much, most in zip((events, size), allowed, strict=True))
        return most_events, most_bytes

    def wait(self, events: int, size: int, until: float) -> bool:
        """Return when so much may be sent, or at once, saying so, when that is not before this moment.

        The first always may: a time that is too short for it must not keep it from ever being sent.
        """
        with self._lock:
            now = time.monotonic()
            seconds = max(
                (much / rate for much, rate in zip((events, size), self._rates, strict=True) if rate), default=0
            )
            free = max(self._free, now - BURST_SECONDS) + seconds
            if self._begun and free > until:
                return False
            self._free, self._begun = free, True
        if free > now:
            time.sleep(free - now)
        return True
