# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the plugins that a configuration names, and checking the settings that it gives them."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import config
from ..event import EventError, field_path, to_json
from ..log import inspect
from ..ruby import RubyError
from .base import Codec, ExecutionContext, Option, Plugin
from .ruby_output import ruby_output

COMMON = {
    "input": {"id": Option(), "codec": Option("codec")},
    "filter": {
        "id": Option(),
        "add_field": Option("hash", default={}),
        "remove_field": Option("array", default=[]),
        "add_tag": Option("array", default=[]),
        "remove_tag": Option("array", default=[]),
    },
    "output": {"id": Option(), "codec": Option("codec")},
    "codec": {"id": Option()},
}
registry = logging.getLogger("logstash.plugins.registry")


class PluginError(config.ConfigurationError):
    """A plugin that cannot be had or cannot be configured."""

    ruby_class = "Java::JavaLang::IllegalStateException"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Unable to configure plugins: {reason}")


class Factory:
    """Makes the plugins of one pipeline."""

    def __init__(self, context: ExecutionContext, substitute: Callable[[str], str]) -> None:
        self.context = context
        self.substitute = substitute

    def make(self, plugin: config.Plugin, identifier: str) -> Plugin:
        found = self._find(plugin.kind, plugin.name)
        options = COMMON[plugin.kind] | found.options
        try:
            given = {name: self._substituted(value) for name, value in plugin.settings.items()}
            settings = self._checked(found, options, {"id": identifier} | given)
            return found(self.context, settings)
        except PluginError:
            raise
        except config.ConfigurationError as error:
            raise PluginError(str(error)) from error
        except RubyError as error:
            raise PluginError(f"({error.ruby_class.rpartition('::')[2]}) {error}") from error

    def _find(self, kind: str, name: str) -> type[Plugin]:
        for path in self.context.settings["path.plugins"] if kind == "output" else ():
            file = Path(path, "logstash", "outputs", f"{name}.rb")
            if file.exists():
                return ruby_output(self.context.ruby, name, file)
        module = f"{__name__}.{kind}s.{name}"
        try:
            plugin: type[Plugin] = importlib.import_module(module).PLUGIN
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            registry.error("Unable to load plugin. {type: %s, name: %s}", inspect(kind), inspect(name))
            raise PluginError(
                f"(PluginLoadingError) Couldn't find any {kind} plugin named '{name}'. Are you sure this is correct?"
                f" Trying to load the {name} {kind} plugin resulted in this error: Unable to load the requested plugin"
                f" named {name} of type {kind}. The plugin is not installed."
            ) from None
        plugin.name = name
        return plugin

    def _substituted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.substitute(value)
        if isinstance(value, list):
            return [self._substituted(item) for item in value]
        if isinstance(value, dict):
            return {key: self._substituted(item) for key, item in value.items()}
        return value

    def _checked(self, plugin: type[Plugin], options: dict[str, Option], given: dict[str, Any]) -> dict[str, Any]:
        settings = {name: option.default for name, option in options.items()}
        errors = [f"Unknown setting '{name}' for {plugin.name}" for name in reversed(given) if name not in options]
        missing = [name for name, option in options.items() if option.required and name not in given]
        errors = errors or [_complaint("Missing a required setting for the", plugin, f"{name} => # SETTING MISSING") for name in missing]
        for name, value in given.items() if not errors else ():
            kind = options[name].type
            try:
                settings[name] = value if kind == "codec" else checked(kind, value)
            except ValueError as error:
                note = f"# This setting must be a {kind if isinstance(kind, str) else inspect(kind)}\n      # {error}\n      "
                errors.append(_complaint("Invalid setting for", plugin, f"{note}{name} => {inspect(value)}"))
        if errors:
            for message in errors:
                logging.getLogger(f"logstash.{plugin.kind}s.{plugin.name}").error("%s", message)
            raise PluginError("(ConfigurationError) Something is wrong with your configuration.")
        if "codec" in options:
            settings["codec"] = self._codec(settings["codec"] or plugin.codec)
        return settings

    def _codec(self, given: Any) -> Codec:
        plugin = given if isinstance(given, config.Plugin) else config.Plugin("codec", given, {}, given, "")
        codec = self.make(plugin, plugin.name)
        assert isinstance(codec, Codec)
        return codec


def _complaint(what: str, plugin: type[Plugin], setting: str) -> str:
    name, kind = plugin.name, plugin.kind
    return f"{what} {name} {kind} plugin:\n\n  {kind} {{\n    {name} {{\n      {setting}\n      ...\n    }}\n  }}"


def checked(kind: str | tuple[str, ...], value: Any) -> Any:
    """The value as its kind of setting has it; what it cannot be is a ValueError with Logstash's words."""
    if kind == "array":
        return value if isinstance(value, list) else [value]
    if kind == "hash":
        if not isinstance(value, dict):
            items = value if isinstance(value, list) else [value]
            raise ValueError(f"This field must contain an even number of items, got {len(items)}")
        return value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(kind, tuple):
        if value not in kind:
            raise ValueError(f"Expected one of {inspect(kind)}, got {inspect([value])}")
        return value
    if isinstance(value, list | dict):
        raise ValueError(f"Expected {kind}, got {inspect(value)}")
    if kind == "boolean":
        if value not in ("true", "false"):
            raise ValueError(f"Expected boolean, got {inspect(value)}")
        return value == "true"
    if kind == "number":
        if isinstance(value, str):
            try:
                return float(value) if "." in value else int(value)
            except ValueError:
                raise ValueError(f"Expected number, got {inspect(value)} (type String)") from None
        return value
    text = value if isinstance(value, str) else to_json(value)
    if kind == "path" and not Path(text).exists():
        raise ValueError(f"File does not exist or cannot be opened {text}")
    if kind == "field_reference":
        try:
            field_path(text)
        except EventError:
            raise ValueError(f"Expected a valid field reference, got `{inspect(text)}`") from None
    return text
