# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the settings of a plugin are what its options ask for, and if not, in the words of Logstash's log."""

from __future__ import annotations

from pathlib import Path

from ..event import EventError, Value, field_path, to_json
from ..log import inspect
from .base import Option, Plugin

Values = dict[str, Value]


def checked(plugin: type[Plugin], options: dict[str, Option], given: Values) -> tuple[Values, list[str]]:
    """A value for each option, and the complaints; those of the first sort alone, as Logstash stops there."""
    unknown = [f"Unknown setting '{name}' for {plugin.name}" for name in reversed(given) if name not in options]
    missing = [name for name, option in options.items() if option.required and name not in given]
    if unknown or missing:
        what = "Missing a required setting for the"
        return {}, unknown or [_complaint(what, plugin, f"{name} => # SETTING MISSING") for name in missing]
    settings = {name: option.default for name, option in options.items()}
    invalid = []
    for name, value in given.items():
        kind = options[name].type
        try:
            settings[name] = value if kind == "codec" else coerced(kind, value)
        except ValueError as error:
            must = f"# This setting must be a {kind if isinstance(kind, str) else inspect(kind)}"
            setting = f"{must}\n      # {error}\n      {name} => {inspect(value)}"
            invalid.append(_complaint("Invalid setting for", plugin, setting))
    return settings, invalid


def _complaint(what: str, plugin: type[Plugin], setting: str) -> str:
    name, kind = plugin.name, plugin.kind
    return f"{what} {name} {kind} plugin:\n\n  {kind} {{\n    {name} {{\n      {setting}\n      ...\n    }}\n  }}"


def coerced(kind: str | tuple[str, ...], value: Value) -> Value:
    """The value as its kind of setting has it; what it cannot be is a ValueError in Logstash's words."""
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
