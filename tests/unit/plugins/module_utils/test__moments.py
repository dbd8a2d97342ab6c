# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._moments import age, parse_moment

NOW = datetime(2026, 11, 25, 14, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, moment",
    [
        ("90s", datetime(2026, 11, 25, 13, 58, 30, tzinfo=UTC)),
        ("15m", datetime(2026, 11, 25, 13, 45, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ("1.5h", datetime(2026, 11, 25, 12, 30, tzinfo=UTC)),
        ("3d", datetime(2026, 11, 22, 14, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 18, 14, tzinfo=UTC)),
        ("0s", NOW),
        ("1764072000", datetime(2025, 11, 25, 12, tzinfo=UTC)),
        ("1764072000.25", datetime(2025, 11, 25, 12, 0, 0, 250000, tzinfo=UTC)),
        ("1764072000250", datetime(2025, 11, 25, 12, 0, 0, 250000, tzinfo=UTC)),
        ("2026-11-25T12:00:00Z", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ("2026-11-25T12:00:00.125+01:00", datetime(2026, 11, 25, 11, 0, 0, 125000, tzinfo=UTC)),
        ("2026-11-25 12:00+00:00", datetime(2026, 11, 25, 12, tzinfo=UTC)),
    ],
)
def test_a_moment_as_people_write_it(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2 h",
        "-2h",
        "2026-13-01T00:00:00Z",
        "20261001",
        "9" * 30,
        "9" * 30 + "d",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_what_is_no_moment_is_named(text: str) -> None:
    with pytest.raises(PipelineError, match="is no time: say 2h"):
        parse_moment(text, NOW)


def test_a_moment_before_all_others_is_none() -> None:
    with pytest.raises(PipelineError, match="is no time: say 2h"):
        parse_moment("0001-01-01T00:00:00+14:00", NOW)


@pytest.mark.parametrize(
    "text, remedy", [("2026-11-25T12:00", "2026-11-25T12:00:00Z"), ("2026-11-25", "2026-11-25T00:00:00Z")]
)
def test_a_time_without_a_zone_is_no_moment(text: str, remedy: str) -> None:
    with pytest.raises(PipelineError, match=f"'{text}' has no time zone: say {remedy}"):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    "span, told",
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=59.4), "59 s"),
        (timedelta(minutes=4, seconds=10), "4 min 10 s"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h"),
        (timedelta(days=1, seconds=5), "1 d 5 s"),
    ],
)
def test_how_long(span: timedelta, told: str) -> None:
    assert age(span) == told
