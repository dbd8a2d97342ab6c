# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest


class Clock:
    """Time that passes only by sleeping."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()
