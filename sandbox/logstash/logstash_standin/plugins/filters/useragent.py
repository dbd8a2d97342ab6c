# SPDX-License-Identifier: GPL-3.0-or-later
"""The useragent filter with the fields of the Elastic Common Schema."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from ua_parser import parse

from ...event import Event, Value
from ..base import Filter, Option


class UserAgentFilter(Filter):
    options: ClassVar[dict[str, Option]] = {
        "source": Option(required=True),
        "target": Option("field_reference", default="[user_agent]"),
    }

    def filter(self, events: list[Event]) -> list[Event]:
        for event in events:
            source = event.get(self.settings["source"])
            source = source[0] if isinstance(source, list) and source else source
            if source is None or source == "":
                continue
            if not isinstance(source, str):
                raise TypeError(f"The useragent filter takes no {type(source).__name__}: {source!r}")
            for field, value in fields(source).items():
                event.set(f"{self.target}{field}", value)
            self.matched(event)
        return events

    @property
    def target(self) -> str:
        target: str = self.settings["target"]
        return target if target.startswith("[") else f"[{target}]"


@lru_cache(maxsize=10_000)
def fields(text: str) -> dict[str, str]:
    """What the user agent's text says, by field below the target."""
    found = parse(text).with_defaults()
    agent, system = found.user_agent, found.os
    values: dict[str, Value] = {
        "[name]": agent.family,
        "[version]": _version(agent.major, agent.minor, agent.patch, agent.patch_minor),
        "[os][name]": system.family,
        "[os][version]": _version(system.major, system.minor, system.patch, system.patch_minor),
        "[device][name]": found.device.family,
    }
    values["[os][full]"] = " ".join(part for part in (system.family, values["[os][version]"]) if part)
    return {field: value for field, value in values.items() if value}


def _version(*parts: str | None) -> str:
    return ".".join(part for part in parts if part)


PLUGIN = UserAgentFilter
