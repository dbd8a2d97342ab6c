# SPDX-License-Identifier: GPL-3.0-or-later
"""The index holds every field of an event, and no event can change or break it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from ..scripts.conftest import ROOT, SCRIPTS, Scripts, line

INDEX = ROOT / "templates" / "index"
COMPONENTS = {path.stem: yaml.safe_load(path.read_text()) for path in (INDEX / "component_template").glob("*.yml")}
TEMPLATES = {path.stem: yaml.safe_load(path.read_text()) for path in (INDEX / "index_template").glob("*.yml")}
MAPPINGS = COMPONENTS["simple-analytics-events-mappings"]["template"]["mappings"]
TYPES = {"date", "flattened", "float", "geo_point", "ip", "keyword", "short"}
TERM_BYTES = 32_766
PARSED_USER_AGENT = {
    "user_agent.name",
    "user_agent.version",
    "user_agent.device.name",
    "user_agent.os.name",
    "user_agent.os.version",
    "user_agent.os.full",
}


def fields(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from fields(field["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name, field


MAPPED = dict(fields(MAPPINGS["properties"]))


def leaves(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict) and path != "payload":
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}".lstrip("."))
    else:
        yield path


def template_of(index: str) -> dict[str, Any]:
    """The template that Elasticsearch takes for an index: patterns know `*` alone, the highest priority wins."""
    matching = [
        template
        for template in TEMPLATES.values()
        if any(fnmatchcase(index, pattern) for pattern in template["index_patterns"])
    ]
    return dict(max(matching, key=lambda template: template["priority"]))


def test_every_field_of_an_event_is_mapped(scripts: Scripts) -> None:
    query = 'event=view&url=https://a.example/b?c&referrer=https://a.example/&x="'
    [event] = scripts.capture(
        line(**{"cs-uri-query": query}), key="Replay/m1/cloudfront/x.gz", visitor_secret="a secret of the store"
    )
    del event["@metadata"]
    expected = {*leaves(event), *PARSED_USER_AGENT, "labels.bot", "labels.payload"}
    assert {name for name in MAPPED if not name.startswith("source.geo.")} == expected


@pytest.mark.parametrize("name", MAPPED)
def test_fields_have_types_that_every_distribution_has(name: str) -> None:
    assert MAPPED[name]["type"] in TYPES


@pytest.mark.parametrize("name", [name for name, field in MAPPED.items() if field["type"] == "keyword"])
def test_no_text_is_too_long_for_a_term(name: str) -> None:
    assert MAPPED[name]["ignore_above"] * 4 <= TERM_BYTES


def test_unknown_fields_are_kept_and_not_mapped() -> None:
    assert MAPPINGS["dynamic"] is False
    assert [name for name, field in fields(MAPPINGS["properties"]) if "dynamic" in field] == []


def test_a_value_of_the_wrong_type_refuses_no_event_but_for_its_time() -> None:
    settings = COMPONENTS["simple-analytics-events-settings"]["template"]["settings"]["index"]
    assert settings["mapping"]["ignore_malformed"] is True
    assert [name for name, field in MAPPED.items() if field.get("ignore_malformed") is False] == ["@timestamp"]


def test_the_payload_is_as_deep_as_capture_leaves_it() -> None:
    depth = re.search(r"^PAYLOAD_DEPTH = (\d+)", (SCRIPTS / "capture.rb").read_text(), re.MULTILINE)
    assert depth
    assert MAPPED["payload"]["depth_limit"] == int(depth[1])


@pytest.mark.parametrize(
    "index, aliases",
    [
        ("simple-analytics-events-2024.05.01", {"simple-analytics-events": {}}),
        ("simple-analytics-events-2024.05.01-000001", {}),
    ],
)
def test_only_a_plain_day_is_searched_from_the_start(index: str, aliases: dict[str, Any]) -> None:
    assert template_of(index).get("template", {}).get("aliases", {}) == aliases


def test_templates_are_composed_of_components_that_exist() -> None:
    for template in TEMPLATES.values():
        assert sorted(template["composed_of"]) == sorted(COMPONENTS)
