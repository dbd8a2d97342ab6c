# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the plugins that a configuration names, and checking the settings that it gives them."""

from __future__ import annotations

import importlib
import itertools
import logging
from collections.abc import Callable
from pathlib import Path

from .. import config
from ..event import Value
from ..log import inspect
from ..ruby import RubyError
from .base import Codec, ExecutionContext, Option, Plugin
from .checks import checked
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
        self._numbers = itertools.count(1)

    def make_all(self, nodes: config.Section) -> list[Plugin | config.Branch[Plugin]]:
        return [
            config.Branch([(condition, self.make_all(body)) for condition, body in node.arms])
            if isinstance(node, config.Branch)
            else self.make(node, f"{node.name}_{next(self._numbers)}")
            for node in nodes
        ]

    def make(self, plugin: config.Plugin, identifier: str) -> Plugin:
        found = self._find(plugin.kind, plugin.name)
        options = COMMON[plugin.kind] | found.options
        try:
            given = {name: self._substituted(value) for name, value in plugin.settings.items()}
            settings = self._checked(found, options, {"id": identifier} | given)
            return found(self.context, settings)
        except config.ConfigurationError as error:
            raise error if isinstance(error, PluginError) else PluginError(str(error)) from error
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

    def _substituted(self, value: Value) -> Value:
        if isinstance(value, str):
            return self.substitute(value)
        if isinstance(value, list):
            return [self._substituted(item) for item in value]
        if isinstance(value, dict):
            return {key: self._substituted(item) for key, item in value.items()}
        return value

    def _checked(self, plugin: type[Plugin], options: dict[str, Option], given: dict[str, Value]) -> dict[str, Value]:
        settings, errors = checked(plugin, options, given)
        if errors:
            for message in errors:
                logging.getLogger(f"logstash.{plugin.kind}s.{plugin.name}").error("%s", message)
            raise PluginError("(ConfigurationError) Something is wrong with your configuration.")
        if "codec" in options:
            settings["codec"] = self._codec(settings["codec"] or plugin.codec)
        return settings

    def _codec(self, given: Value) -> Codec:
        plugin = given if isinstance(given, config.Plugin) else config.Plugin("codec", given, {}, given, "")
        codec = self.make(plugin, plugin.name)
        assert isinstance(codec, Codec)
        return codec
