# SPDX-License-Identifier: GPL-3.0-or-later
"""The mutate filter with the options that every filter has, and none of its own."""

from __future__ import annotations

from ...event import Event, EventError
from ..base import Filter


class MutateFilter(Filter):
    def filter(self, events: list[Event]) -> list[Event]:
        for event in events:
            try:
                self.matched(event)
            except EventError as error:
                self.log.warning("Exception caught while applying mutate filter {exception: %s}", error)
                event.tag("_mutate_error")
        return events


PLUGIN = MutateFilter
