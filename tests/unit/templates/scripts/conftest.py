# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipelines' scripts in a real Ruby, held by the stand-in's bridge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from logstash_standin.ruby import Ruby

ROOT = Path(__file__).parents[4]
SCRIPTS = ROOT / "templates" / "pipelines" / "scripts"
FIELDS = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
KEY = "cloudfront/E2EXAMPLE.2024-05-01-12.a1b2c3d4.gz"
VALUES = {
    "date": "2024-05-01",
    "time": "12:00:01",
    "x-edge-location": "FRA60-P4",
    "c-ip": "192.0.2.147",
    "cs-method": "GET",
    "cs-uri-stem": "/pixel.gif",
    "sc-status": "200",
    "cs(User-Agent)": "Mozilla/5.0%20(X11)",
    "cs-uri-query": "event=view",
    "x-edge-result-type": "Hit",
    "x-edge-request-id": "request-1",
    "cs-protocol": "https",
    "time-taken": "0.002",
}

Json = dict[str, Any]


def line(fields: str = FIELDS, **values: str) -> str:
    """A line of the log; columns whose names are no Python names go in by `**{}`."""
    return "\t".join((VALUES | values).get(name, "-") for name in fields.split())


class Scripts:
    """Registered scripts, one per set of parameters."""

    def __init__(self) -> None:
        self.ruby = Ruby([])
        self._loaded: set[str] = set()

    def close(self) -> None:
        self.ruby.close()
        if self.ruby._process and self.ruby._process.stdout:
            self.ruby._process.stdout.close()

    def load(self, script: str | Path, **parameters: str) -> str:
        name = f"{script} {parameters}"
        if name not in self._loaded:
            self.ruby.call("load_script", name, str(script if isinstance(script, Path) else SCRIPTS / f"{script}.rb"))
            self.ruby.call("start_script", name, parameters)
            self._loaded.add(name)
        return name

    def run(self, script: str | Path, *events: Json, **parameters: str) -> list[Json]:
        """Everything that leaves the script, in order."""
        left: list[Json] = []
        for result in self.ruby.call("filter", self.load(script, **parameters), list(events)):
            assert "error" not in result, result
            left += [result["event"], *result["others"]] if result["event"] else result["others"]
        return [_plain(event) for event in left]

    def capture(
        self,
        *lines: str,
        key: str = KEY,
        fields: str | None = FIELDS,
        script: str | Path = "capture",
        pixel_path: str = r"^/pixel\.gif$",
        **parameters: str,
    ) -> list[Json]:
        s3: Json = {"key": key} | ({"cloudfront": {"fields": fields}} if fields else {})
        events = [{"message": text, "event": {"original": text}, "@metadata": {"s3": s3}} for text in lines]
        return self.run(script, *events, pixel_path=pixel_path, **parameters)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case {"\0timestamp": timestamp}:
            return timestamp
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value


@pytest.fixture(scope="session")
def scripts() -> Iterator[Scripts]:
    scripts = Scripts()
    yield scripts
    scripts.close()
