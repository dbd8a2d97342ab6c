# SPDX-License-Identifier: GPL-3.0-or-later
"""The log, in Logstash's layout, on standard error and in path.logs: standard output belongs to the stdout output."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import ClassVar

from .event import Value


class _Formatter(logging.Formatter):
    LEVELS: ClassVar[dict[str, str]] = {"WARNING": "WARN", "CRITICAL": "FATAL"}

    def format(self, record: logging.LogRecord) -> str:
        level = self.LEVELS.get(record.levelname, record.levelname)
        time = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f",{int(record.msecs):03}"
        text = f"[{time}][{level:<5}][{record.name:<25}] {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def start(level: str, directory: str | None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(Path(directory, "logstash-plain.log")))
    for handler in handlers:
        handler.setFormatter(_Formatter())
    logging.basicConfig(level=level.upper().replace("TRACE", "DEBUG"), handlers=handlers, force=True)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def inspect(value: Value) -> str:
    """A value as Ruby prints it, which is how Logstash's messages quote."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("#{", "\\#{")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inspect, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inspect(key)} => {inspect(item)}" for key, item in value.items()) + "}"
    return {None: "nil", True: "true", False: "false"}.get(value, str(value))
