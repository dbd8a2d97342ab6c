# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline's Ruby: one child process that runs its scripts and its outputs written in Ruby."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import threading
from pathlib import Path

from .event import Value, pack

HOME = Path(__file__).parent / "ruby"


class RubyError(Exception):
    """What the Ruby code raised."""

    def __init__(self, ruby_class: str, message: str) -> None:
        super().__init__(message)
        self.ruby_class = ruby_class


class Ruby:
    """Calls go over pipes as one JSON document a line, log messages of the child come between them."""

    def __init__(self, plugins: list[str]) -> None:
        self._plugins = plugins
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def call(self, method: str, *arguments: Value) -> Value:
        with self._lock:
            process = self._process = self._process or self._start()
            assert process.stdin
            assert process.stdout
            process.stdin.write(pack([method, *arguments]) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                kind, *answer = json.loads(line)
                if kind == "log":
                    level, logger, message = answer
                    logging.getLogger(logger).log(logging.getLevelName(level), message)
                elif kind == "error":
                    raise RubyError(*answer)
                else:
                    return answer[0]
        raise RubyError("IOError", f"Ruby ended with exit code {process.wait()}")

    def _start(self) -> subprocess.Popen[str]:
        load_path = [argument for path in [HOME, *self._plugins] for argument in ("-I", str(path))]
        command = ["ruby", "-E", "UTF-8:UTF-8", *load_path, str(HOME / "bridge.rb")]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def stop(self) -> None:
        """Tell outputs that still try to deliver that the pipeline stops."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """The child ends with its standard input."""
        if self._process:
            self._process.communicate()
