# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Moments in time, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError

RELATIVE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EPOCH = re.compile(r"\d+(?:\.\d+)?")
FIRST_MILLISECONDS = 10**11  # as seconds, a moment some three thousand years ahead
FIRST_SECONDS = 10**8  # in 1973; a date without its hyphens is less


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """A moment in UTC of ISO 8601 with a zone, of seconds or milliseconds since 1970, or, where there is a now to count
    from, of an age such as C(2h)."""
    try:
        if now and (match := RELATIVE.fullmatch(text)):
            return now - timedelta(**{UNITS[match[2]]: float(match[1])})
        if EPOCH.fullmatch(text):
            seconds = float(text)
            if seconds < FIRST_SECONDS:
                raise ValueError
            return datetime.fromtimestamp(seconds / 1000 if seconds >= FIRST_MILLISECONDS else seconds, UTC)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise PipelineError(
            f"{text!r} is no time: say {'2h or 3d for that long ago, ' if now else ''}2026-11-24T18:00:00Z,"
            " or seconds since 1970."
        ) from error
    full = moment.isoformat()
    raise PipelineError(f"{text!r} has no time zone: say {full}Z for UTC, or an offset such as {full}+01:00.")


def age(span: timedelta) -> str:
    """How long, to two units: C(2 d 3 h), C(4 min 10 s), C(0 s)."""
    seconds = max(0, round(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    told = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(told) or "0 s"
