# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.simple_analytics.pipeline.plugins.filter.kibana_dashboard import COLUMNS, kibana_dashboard

MAPPINGS = {
    "properties": {
        "@timestamp": {"type": "date"},
        "url": {"properties": {"path": {"type": "keyword"}}},
        "cdn": {"properties": {"status": {"type": "short"}, "time_taken": {"type": "float"}}},
    }
}
TERMS = {"title": "Pages", "chart": "bars", "aggregation": {"terms": {"field": "url.path", "size": 10}}}


def objects(*panels: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    view, dashboard = kibana_dashboard({"title": "Web", "panels": list(panels)}, "events", MAPPINGS)
    return view, dashboard


def drawn(*panels: dict[str, Any]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(objects(*panels)[1]["attributes"]["panelsJSON"])
    return result


def state(panel: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Its columns, what they are drawn as, and its filters."""
    [attributes] = [shown["embeddableConfig"]["attributes"] for shown in drawn(panel)]
    [layer] = attributes["state"]["datasourceStates"]["formBased"]["layers"].values()
    return layer["columns"], attributes["state"]["visualization"], attributes["state"]["filters"]


def test_the_data_view_is_of_the_index() -> None:
    view, _ = objects(TERMS)
    assert (view["type"], view["id"], view["attributes"]["title"]) == ("index-pattern", "events", "events")
    assert view["attributes"]["timeFieldName"] == "@timestamp"


def test_no_object_is_taken_for_one_of_the_first_kibana() -> None:
    for item in objects(TERMS):
        major, _minor, _patch = map(int, item["typeMigrationVersion"].split("."))
        assert major >= 8, item["type"]


def test_every_panel_refers_to_the_data_view() -> None:
    _, dashboard = objects(TERMS, TERMS)
    names = ["0:indexpattern-datasource-layer-events", "1:indexpattern-datasource-layer-events"]
    assert [(each["type"], each["id"], each["name"]) for each in dashboard["references"]] == [
        ("index-pattern", "events", name) for name in names
    ]
    for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
        [reference] = panel["embeddableConfig"]["attributes"]["references"]
        assert reference["name"] == "indexpattern-datasource-layer-events"


@pytest.mark.parametrize(
    "chart, aggregation, operations",
    [
        ("number", {"value_count": {"field": "event.id"}}, [("count", "event.id")]),
        ("number", {"cardinality": {"field": "url.path"}}, [("unique_count", "url.path")]),
        (
            "values",
            {"percentiles": {"field": "cdn.time_taken", "percents": [50, 99]}},
            [("percentile", "cdn.time_taken")] * 2,
        ),
        (
            "line",
            {"auto_date_histogram": {"field": "@timestamp"}},
            [("date_histogram", "@timestamp"), ("count", "___records___")],
        ),
        ("bars", {"terms": {"field": "url.path", "size": 3}}, [("terms", "url.path"), ("count", "___records___")]),
    ],
)
def test_asks_what_the_aggregation_says(
    chart: str, aggregation: dict[str, Any], operations: list[tuple[str, str]]
) -> None:
    columns, drawing, _ = state({"title": "It", "chart": chart, "aggregation": aggregation})
    assert [(each["operationType"], each["sourceField"]) for each in columns.values()] == operations
    names = json.dumps(drawing)
    assert all(f'"{name}"' in names for name in columns), "a column that nothing draws"


def test_terms_are_the_largest() -> None:
    columns, _, _ = state(TERMS)
    assert columns["key"]["params"]["size"] == 10
    assert columns["key"]["params"]["orderBy"] == {"type": "column", "columnId": "value"}
    assert columns["key"]["dataType"] == "string"


def test_terms_count_what_lacks_the_field_where_told() -> None:
    aggregation = {"terms": {**TERMS["aggregation"]["terms"], "missing": "none"}}  # type: ignore[index]
    assert state({**TERMS, "aggregation": aggregation})[0]["key"]["params"]["missingBucket"]
    assert not state(TERMS)[0]["key"]["params"]["missingBucket"]


def test_numbers_are_numbers() -> None:
    columns, _, _ = state({**TERMS, "aggregation": {"terms": {"field": "cdn.status", "size": 3}}})
    assert columns["key"]["dataType"] == "number"


def test_measures_have_their_unit() -> None:
    aggregation = {"percentiles": {"field": "cdn.time_taken", "percents": [50]}}
    columns, _, _ = state({"title": "Fast", "chart": "values", "unit": "s", "aggregation": aggregation})
    assert columns["value-50"]["params"]["format"]["params"]["suffix"] == " s"


def test_the_query_is_a_filter() -> None:
    query = {"term": {"labels.bot": "true"}}
    [found] = state({**TERMS, "query": query})[2]
    assert found["query"] == query
    assert not found["meta"]["disabled"]
    assert state(TERMS)[2] == []


@pytest.mark.parametrize(
    "panel, named",
    [
        ({**TERMS, "chart": "pie"}, "'pie'"),
        ({**TERMS, "aggregation": {"avg": {"field": "cdn.time_taken"}}}, "'avg'"),
        ({**TERMS, "aggregation": {"terms": {"field": "url.port", "size": 1}}}, "'port'"),
    ],
)
def test_what_it_cannot_show_is_named(panel: dict[str, Any], named: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"The panel 'Pages' cannot be shown by Kibana: {named}"):
        objects(panel)


class TestThisCollectionsDashboard:
    """Every panel that the report shows, the dashboard shows too."""

    TEMPLATES = Path(__file__).parents[4] / "templates"
    DASHBOARD = yaml.safe_load((TEMPLATES / "dashboards" / "events.yml").read_text())
    COMPONENT = TEMPLATES / "index" / "component_template" / "simple-analytics-events-mappings.yml"

    def panels(self) -> list[dict[str, Any]]:
        mappings = yaml.safe_load(self.COMPONENT.read_text())["template"]["mappings"]
        _, dashboard = kibana_dashboard(self.DASHBOARD, "simple-analytics-events", mappings)
        result: list[dict[str, Any]] = json.loads(dashboard["attributes"]["panelsJSON"])
        return result

    def test_has_them_all_in_order(self) -> None:
        assert [panel["title"] for panel in self.panels()] == [panel["title"] for panel in self.DASHBOARD["panels"]]

    def test_no_panel_hides_another(self) -> None:
        places = [panel["gridData"] for panel in self.panels()]
        assert all(place["x"] + place["w"] <= COLUMNS for place in places)
        for one, other in combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or below
