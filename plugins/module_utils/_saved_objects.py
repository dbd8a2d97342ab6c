# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""What a saved object of Kibana says, and whether it can be compared."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._kibana import Json, Key, key_of


class SavedObjectError(PipelineError):  # type: ignore[misc] # mypy finds no collections
    """An object, or a space, that cannot be as it is described."""


def is_json(name: str, item: t.Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether it is an attribute that Kibana keeps as text and reads as JSON."""
    return name.endswith("JSON") and isinstance(item, str)


def texts(value: t.Any) -> t.Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Those attributes, wherever they lie."""
    for name, item in value.items() if isinstance(value, dict) else []:
        if is_json(name, item):
            yield name, item
        else:
            yield from texts(item)


def parsed(text: str) -> t.Any:  # noqa: ANN401 - any JSON value
    """As JSON, but for what somebody has broken in Kibana: that is to be mended, or deleted, like all else."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def readable(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """Attributes with the JSON that Kibana keeps as text read, for comparisons and for people."""
    if not isinstance(value, dict):
        return value
    return {name: parsed(item) if is_json(name, item) else readable(item) for name, item in value.items()}


def within(given: t.Any, found: t.Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether all that is given is found. What is found beside it is Kibana's own."""
    if isinstance(given, dict) and isinstance(found, dict):
        return all(name in found and within(item, found[name]) for name, item in given.items())
    if isinstance(given, list) and isinstance(found, list):
        return len(given) == len(found) and all(within(*pair) for pair in zip(given, found, strict=True))
    return bool(given == found)


def shown(item: Json) -> Json:
    references = sorted(item.get("references", []), key=lambda reference: str(reference["name"]))
    return {"attributes": readable(item["attributes"]), "references": references}


def check(objects: list[Json], state: str) -> None:
    needed = {"type", "id", *(["attributes"] if state == "present" else [])}
    seen: set[Key] = set()
    for item in objects:
        lacking = needed - item.keys()
        if lacking:
            raise SavedObjectError(f"The object {json.dumps(item)[:200]} lacks {', '.join(sorted(lacking))}.")
        if key_of(item) in seen:
            raise SavedObjectError(f"The object {'/'.join(key_of(item))} is given twice.")
        seen.add(key_of(item))
        if state == "present":
            check_content(item)


def check_content(item: Json) -> None:
    said = f"The object {'/'.join(key_of(item))} has"
    for reference in item.get("references", []):
        if "name" not in reference:
            raise SavedObjectError(f"{said} the reference {json.dumps(reference)[:200]}, which lacks name.")
    for name, text in texts(item["attributes"]):
        try:
            json.loads(text)
        except ValueError as error:
            raise SavedObjectError(f"{said} as {name} what is no JSON: {text[:200]}") from error
