# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `logstash`: checks configurations, or runs pipelines until they end or a signal comes."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import VERSION, log
from .api import Api
from .config import ConfigurationError
from .log import inspect
from .pipeline import Pipeline
from .settings import HOME, Settings, SettingsError

runner = logging.getLogger("logstash.runner")
agent = logging.getLogger("logstash.agent")
sources = logging.getLogger("logstash.config.sourceloader")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"ERROR: {message}\n\nSee: 'bin/logstash --help'", file=sys.stderr)
        raise SystemExit(1)

    def format_help(self) -> str:
        return super().format_help().replace("usage:", "Usage:")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="logstash", allow_abbrev=False, description="The sandbox's stand-in for Logstash.")
    parser.add_argument("-f", "--path.config", help="file, folder or glob of the pipeline's configuration")
    parser.add_argument("-e", "--config.string", help="the pipeline's configuration itself")
    parser.add_argument(
        "-t", "--config.test_and_exit", dest="test", action="store_true", help="check the configuration and exit"
    )
    parser.add_argument("--path.settings", dest="settings", type=Path, default=HOME / "config")
    parser.add_argument("--path.data")
    parser.add_argument("--path.logs")
    parser.add_argument("-V", "--version", action="version", version=f"logstash {VERSION} (stand-in)")
    options, rest = parser.parse_known_args(arguments)
    if rest:
        parser.error(f"Unrecognised option '{rest[0]}'")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = vars(_arguments(arguments))
    test, directory = options.pop("test"), options.pop("settings")
    overrides = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(directory, overrides)
    except SettingsError as error:
        print(
            f'ERROR: Failed to load settings file from "path.settings". Aborting... path.setting={directory},'
            f" exception={error.ruby_class}, message=>{error}",
            file=sys.stderr,
        )
        return 1
    log.start(settings.values["log.level"], settings.values["path.logs"])
    if os.geteuid() == 0 and not settings.values["allow_superuser"]:
        runner.critical("Logstash cannot be run as superuser.")
        return 1
    try:
        return _check(settings) if test else _run(settings)
    except SettingsError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1


def _pipelines(settings: Settings) -> list[Pipeline]:
    try:
        return [Pipeline(settings, values) for values in settings.pipelines()]
    except ConfigurationError as error:
        sources.error(
            "Could not fetch all the sources {exception: %s, message: %s}", error.ruby_class, inspect(str(error))
        )
        raise ConfigurationError("Could not load the configuration file") from error


def _check(settings: Settings) -> int:
    try:
        found = [_built(pipeline) for pipeline in _pipelines(settings)]
    except ConfigurationError as error:
        runner.critical("The given configuration is invalid. Reason: %s", error)
        return 1
    if not any(found):
        sources.error("No configuration found in the configured sources.")
    print("Configuration OK")
    return 0


def _built(pipeline: Pipeline) -> bool:
    try:
        return pipeline.build()
    finally:
        pipeline.discard()


def _run(settings: Settings) -> int:
    if not _lock(Path(settings.values["path.data"])):
        runner.critical(
            "Logstash could not be started because there is already another instance using the configured data"
            ' directory. If you wish to run multiple instances, you must change the "path.data" setting.'
        )
        return 1
    try:
        pipelines = _pipelines(settings)
    except ConfigurationError as error:
        agent.error(
            "An exception happened when converging configuration {exception: %s, message: %s}",
            error.ruby_class,
            inspect(str(error)),
        )
        return 1
    ended = threading.Semaphore(0)
    if settings.values["api.enabled"]:
        Api(settings.values, pipelines).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: _shut_down(signal.Signals(number).name, pipelines))
    started = [pipeline for pipeline in pipelines if _started(pipeline, ended)]
    for _ in started:
        ended.acquire()
    runner.info("Logstash shut down.")
    return 0 if started else 1


def _lock(data: Path) -> bool:
    """Hold path.data for this process alone, for as long as it lives."""
    data.mkdir(parents=True, exist_ok=True)
    try:
        fcntl.flock(os.open(data / ".lock", os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shut_down(name: str, pipelines: list[Pipeline]) -> None:
    runner.warning("%s received. Shutting down.", name)
    for pipeline in pipelines:
        pipeline.stop()


def _started(pipeline: Pipeline, ended: threading.Semaphore) -> bool:
    action = f"LogStash::PipelineAction::Create/pipeline_id:{pipeline.id}"
    try:
        if not pipeline.build():
            sources.error("No configuration found in the configured sources.")
            return False
    except ConfigurationError as error:
        agent.error(
            "Failed to execute action {action: %s, exception: %s, message: %s}",
            action,
            inspect(error.ruby_class),
            inspect(str(error)),
        )
        pipeline.discard()
        return False
    try:
        pipeline.start(ended.release)
    except Exception as error:
        logging.getLogger("logstash.javapipeline").error(
            "Pipeline error {pipeline_id: %s, exception: %s, error: %s}",
            inspect(pipeline.id),
            inspect(getattr(error, "ruby_class", type(error).__name__)),
            inspect(str(error)),
        )
        agent.error(
            "Failed to execute action {id: :%s, action_type: LogStash::ConvergeResult::FailedAction, message: %s}",
            pipeline.id,
            inspect(f"Could not execute action: PipelineAction::Create<{pipeline.id}>, action_result: false"),
        )
        pipeline.discard()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
