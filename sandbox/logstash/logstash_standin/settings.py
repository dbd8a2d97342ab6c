# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: logstash.yml, pipelines.yml, and `${NAME}` in both and in pipeline configurations."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import yaml

from .config import ConfigurationError
from .event import Value
from .keystore import Keystore
from .log import inspect

VARIABLE = re.compile(r"\$\{([a-zA-Z_.][a-zA-Z0-9_.]*)(?::([^}]*))?\}")
UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
HOME = Path("/usr/share/logstash")

# A pipeline may have its own value of these.
PIPELINE: dict[str, Value] = {
    "pipeline.id": "main",
    "pipeline.workers": os.cpu_count(),
    "pipeline.batch.size": 125,
    "pipeline.batch.delay": 50,
    "pipeline.ordered": ("auto", "true", "false"),
    "pipeline.ecs_compatibility": ("v8", "v1", "disabled"),
    "config.string": None,
    "path.config": None,
    "queue.type": ("memory", "persisted"),
    "queue.max_bytes": "1gb",
    "queue.drain": False,
    "dead_letter_queue.enable": False,
    "dead_letter_queue.max_bytes": "1024mb",
    "dead_letter_queue.storage_policy": ("drop_newer", "drop_older"),
}
NODE: dict[str, Value] = PIPELINE | {
    "node.name": os.uname().nodename,
    "path.data": str(HOME / "data"),
    "path.logs": None,
    "path.plugins": [],
    "path.queue": None,
    "path.dead_letter_queue": None,
    "api.enabled": True,
    "api.http.host": "127.0.0.1",
    "api.http.port": "9600-9700",
    "log.level": ("info", "fatal", "error", "warn", "debug", "trace"),
    "allow_superuser": False,
}


class SettingsError(Exception):
    """A settings file that is refused; `ruby_class` is what the message calls the error."""

    def __init__(self, message: str, ruby_class: str = "Java::JavaLang::IllegalArgumentException") -> None:
        super().__init__(message)
        self.ruby_class = ruby_class


class PipelineSettingError(ConfigurationError):
    """A setting that a pipeline cannot have of its own."""

    ruby_class = "ArgumentError"


def substituter(keystore: Keystore, place: str = "an environment") -> Callable[[str], str]:
    """A function that fills in `${NAME}` and `${NAME:default}`: the keystore's value, else the environment's."""

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        secret = keystore.lookup(name)
        value = os.environ.get(name, default) if secret is None else secret
        if value is None:
            raise ConfigurationError(
                f"Cannot evaluate `{match[0]}`. Replacement variable `{name}` is not defined in a Logstash secret store"
                f" or {place} entry and there is no default value given."
            )
        return value

    return lambda text: VARIABLE.sub(replace, text)


def _coerced(name: str, default: Value, value: Value) -> Value:
    """The value as the type that its default has; a tuple names all choices, the default first."""
    if isinstance(default, bool):
        if str(value).lower() not in ("true", "false"):
            raise SettingsError(f"could not coerce {value} into a boolean")
        return str(value).lower() == "true"
    if isinstance(default, int):
        if not re.fullmatch(r"-?\d+", str(value)):
            raise SettingsError(f"Failed to coerce value to IntegerSetting. Received {value} (class java.lang.String)")
        if int(value) < 1:
            raise SettingsError(f"Number must be bigger than 0. Received: {value}")
        return int(value)
    if isinstance(default, tuple):
        if str(value).lower() not in default:
            raise SettingsError(
                f'Invalid value "{name}: {value}" . Options are: {inspect(sorted(default, reverse=True))}'
            )
        return str(value).lower()
    if isinstance(default, list):
        return value if isinstance(value, list) else [value]
    return str(value)


def size(text: str) -> int:
    match = re.fullmatch(r"(\d+) ?([a-z]+)", text.lower())
    if not match or match[2] not in UNITS:
        raise SettingsError(f"Unparseable filesize: {text}")
    return int(match[1]) * UNITS[match[2]]


def _flat(tree: dict[str, Value], above: str = "") -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return flat


class Settings:
    def __init__(self, directory: Path, overrides: dict[str, Value]) -> None:
        self.directory = directory
        self.keystore = Keystore(directory)
        self.values = {name: value[0] if isinstance(value, tuple) else value for name, value in NODE.items()}
        self._update(self._file() | overrides)

    def _file(self) -> dict[str, Value]:
        path = self.directory / "logstash.yml"
        if not path.exists():
            return {}
        try:
            read = _flat(self._read(path, "as an Environment") or {})
        except ConfigurationError as error:
            raise SettingsError(str(error), error.ruby_class) from error
        return {name: value for name, value in read.items() if value is not None}

    def _read(self, path: Path, place: str) -> Value:
        return yaml.safe_load(substituter(self.keystore, place)(path.read_text()))

    def _update(self, given: dict[str, Value]) -> None:
        for name, value in given.items():
            if name not in NODE:
                raise SettingsError(
                    f"Setting \"{name}\" doesn't exist. Please check if you haven't made a typo.", "ArgumentError"
                )
            self.values[name] = _coerced(name, NODE[name], value)
        for name in ("queue.max_bytes", "dead_letter_queue.max_bytes"):
            size(self.values[name])

    def path(self, name: str) -> Path:
        """`path.queue` and `path.dead_letter_queue` lie below path.data unless they are set."""
        return Path(self.values[f"path.{name}"] or Path(self.values["path.data"], name))

    def for_pipeline(self, given: dict[str, Value]) -> dict[str, Value]:
        flat = _flat(given)
        for name in flat:
            if name not in PIPELINE:
                raise PipelineSettingError(
                    f'Only pipeline related settings are expected. Received "{name}".'
                    f" Allowed settings: {inspect(sorted(PIPELINE))}"
                )
        return self.values | {name: _coerced(name, PIPELINE[name], value) for name, value in flat.items()}

    def pipelines(self) -> list[dict[str, Value]]:
        """The settings of each pipeline: the one of the command line, or those of pipelines.yml."""
        if self.values["path.config"] or self.values["config.string"]:
            return [self.values]
        path = self.directory / "pipelines.yml"
        try:
            listed = self._read(path, "an environment")
        except FileNotFoundError:
            raise SettingsError(
                f"Failed to read pipelines yaml file. Location: {path}, Exception:"
                f" #<Errno::ENOENT: No such file or directory - {path}>"
            ) from None
        if not listed:
            raise ConfigurationError(f"Pipelines YAML file is empty. Location: {path}")
        if not isinstance(listed, list):
            raise ConfigurationError(f"Pipelines YAML file must contain an array of pipeline configs. Location: {path}")
        ids = [entry.get("pipeline.id") for entry in listed]
        if len(set(ids)) < len(ids):
            raise ConfigurationError(
                "Pipelines YAML file contains duplicate pipeline ids: #{duplicate_ids}. Location: #{path}"
            )
        return [self.for_pipeline(entry) for entry in listed]
