# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kinesis stream, read by the real client library in a Java process (`kcl/`).

The process writes a line of JSON for each batch of records and waits for a line in return before it goes on, so that it
never checkpoints what is not in the queue.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from ...config import ConfigurationError
from ...event import Event
from ..base import ExecutionContext, Input, Option

JARS = Path("/usr/share/logstash/kcl")
FLAGS = (
    "-Xmx128m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=96m",
    "-XX:ReservedCodeCacheSize=32m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Daws.cborEnabled=false",  # the emulator does not speak it
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
ADDITIONAL_SETTINGS = {
    "kinesis_endpoint",
    "dynamo_db_endpoint",
    "failover_time_millis",
    "idle_time_between_reads_in_millis",
}
RESTART_DELAY = 1


class Kinesis(Input):
    options: ClassVar[dict[str, Option]] = {
        "kinesis_stream_name": Option(required=True),
        "application_name": Option(default="logstash"),
        "region": Option(default="us-east-1"),
        "initial_position_in_stream": Option(("TRIM_HORIZON", "LATEST"), default="TRIM_HORIZON"),
        "checkpoint_interval_seconds": Option("number", default=60),
        "additional_settings": Option("hash", default={}),
    }

    def __init__(self, context: ExecutionContext, settings: dict[str, Any]) -> None:
        super().__init__(context, settings)
        unknown = sorted(set(settings["additional_settings"]) - ADDITIONAL_SETTINGS)
        if unknown:
            raise ConfigurationError(f"The stand-in does not know additional_settings => {unknown[0]} of kinesis")
        # A fixed name lets a restarted host take up its own leases at once.
        given = {"worker_id": f"{socket.gethostname()}:{self.id}"} | settings["additional_settings"]
        given |= {name: settings[name] for name in self.options if name != "additional_settings"}
        properties = [f"-D{name}={value}" for name, value in given.items()]
        self.command = ["java", *FLAGS, *properties, "-cp", f"{JARS}/*", "KinesisRecords"]

    def run(self, push: Callable[[list[Event]], None], stop: threading.Event) -> None:
        while not stop.is_set():
            code = self._read(push, stop)
            if not stop.wait(RESTART_DELAY):
                self.log.warning("The Kinesis client ended with exit code %s and is started again", code)

    def _read(self, push: Callable[[list[Event]], None], stop: threading.Event) -> int:
        try:
            with subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
                assert client.stdin
                assert client.stdout
                threading.Thread(target=_end_with, args=(stop, client)).start()
                for line in client.stdout:
                    push([event for record in json.loads(line) for event in self._events(record)])
                    client.stdin.write("\n")
                    client.stdin.flush()
        except (BrokenPipeError, json.JSONDecodeError):
            pass  # it ended before the batch was whole or known to be safe; the next one delivers it again
        return client.returncode

    def _events(self, record: dict[str, Any]) -> list[Event]:
        events = list(self.settings["codec"].decode(base64.b64decode(record.pop("data"))))
        for event in events:
            event.metadata.update(record)
        return events


def _end_with(stop: threading.Event, client: subprocess.Popen[str]) -> None:
    while client.poll() is None and not stop.wait(0.5):
        pass
    client.terminate()


PLUGIN = Kinesis
