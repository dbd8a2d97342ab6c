# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: kibana_dashboard
short_description: Make a Kibana dashboard of panels that are described as data
version_added: 0.1.0
description:
  - Makes a data view, and a dashboard of Lens panels on it, as Kibana's saved objects.
  - A panel asks what its aggregation says. Its query becomes the panel's filter.
positional: _input
options:
  _input:
    description: The dashboard, with C(title) and C(panels) as in C(templates/dashboards/events.yml).
    type: dict
    required: true
  index:
    description: Index, alias or pattern that the panels ask; also the id of the data view and of the dashboard.
    type: str
    required: true
  mappings:
    description: Mappings of that index, as in its template.
    type: dict
    required: true
author:
  - Simple Analytics contributors
"""

EXAMPLES = r"""
- name: Keep the dashboard
  simple_analytics.pipeline.kibana_saved_objects:
    url: https://127.0.0.1:5601
    username: elastic
    password: "{{ elastic_password }}"
    objects: >-
      {{ lookup('ansible.builtin.file', 'templates/dashboards/events.yml') | from_yaml
      | simple_analytics.pipeline.kibana_dashboard('simple-analytics-events', mappings) }}
"""

RETURN = r"""
_value:
  description:
    - The data view and the dashboard, each with C(type), C(id), C(attributes) and C(references).
    - C(coreMigrationVersion) and C(typeMigrationVersion) say which Kibana its shape is of.
  type: list
  elements: dict
"""

Json = dict[str, Any]
Aggregation = Callable[[Json, Json, Mapping[str, Any]], dict[str, Json]]
# The names of a saved object's fields are those of Kibana 9's sources: src/platform/plugins/shared/dashboard/server,
# x-pack/platform/plugins/shared/lens/public.
# An import takes an object without these for one of the first Kibana, and its conversions fail at the Lens of today.
VERSIONS = {
    "index-pattern": {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": "8.0.0"},
    "dashboard": {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": "10.3.0"},
}
COLUMNS = 48  # of a dashboard's grid
ALL_EVENTS = "___records___"
LAYER = "events"
NO_QUERY = {"query": "", "language": "kuery"}
REFERENCE = f"indexpattern-datasource-layer-{LAYER}"
# What Lens calls a field of this type.
DATA_TYPES = {
    "date": "date",
    "flattened": "string",
    "float": "number",
    "ip": "ip",
    "keyword": "string",
    "short": "number",
}


class Chart(NamedTuple):
    visualization: str
    width: int
    height: int
    # Given the panel and its columns.
    state: Callable[[Json, Mapping[str, Json]], Json]


def kibana_dashboard(dashboard: Mapping[str, Any], index: str, mappings: Mapping[str, Any]) -> list[Json]:
    """Make the data view and the dashboard."""
    panels = list(laid_out([lens_panel(panel, index, mappings) for panel in dashboard["panels"]]))
    objects: list[Json] = [
        {
            "type": "index-pattern",
            "id": index,
            "attributes": {"title": index, "name": dashboard["title"], "timeFieldName": "@timestamp"},
            "references": [],
        },
        {
            "type": "dashboard",
            "id": index,
            "attributes": {
                "title": dashboard["title"],
                "description": "",
                "panelsJSON": json.dumps(panels),
                "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False}),
                "timeRestore": True,
                "timeFrom": "now-7d/d",
                "timeTo": "now",
                "refreshInterval": {"pause": True, "value": 60_000},
                "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({"query": NO_QUERY, "filter": []})},
            },
            "references": [data_view(index, f"{panel['panelIndex']}:{REFERENCE}") for panel in panels],
        },
    ]
    return [{**item, **VERSIONS[item["type"]]} for item in objects]


def data_view(index: str, name: str) -> Json:
    """Refer to the data view."""
    return {"type": "index-pattern", "id": index, "name": name}


def laid_out(panels: list[Json]) -> Iterator[Json]:
    """Place panels from left to right, and below where there is no room left."""
    x = y = height = 0
    for number, panel in enumerate(panels):
        grid = panel["gridData"]
        if x + grid["w"] > COLUMNS:
            x, y, height = 0, y + height, 0
        yield {**panel, "panelIndex": str(number), "gridData": {**grid, "x": x, "y": y, "i": str(number)}}
        x, height = x + grid["w"], max(height, grid["h"])


def lens_panel(panel: Json, index: str, mappings: Mapping[str, Any]) -> Json:
    """Make one panel, without its place."""
    try:
        chart = CHARTS[panel["chart"]]
        [(kind, aggregation)] = panel["aggregation"].items()
        columns = AGGREGATIONS[kind](panel, aggregation, mappings)
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(
            f"The panel '{panel.get('title')}' cannot be shown by Kibana: {error} is unknown here."
            f" There are the charts {', '.join(CHARTS)} and the aggregations {', '.join(AGGREGATIONS)}."
        ) from error
    return {
        "type": "lens",
        "title": panel["title"],
        "gridData": {"w": chart.width, "h": chart.height},
        "embeddableConfig": {
            "attributes": {
                "title": panel["title"],
                "description": panel.get("note", ""),
                "type": "lens",
                "visualizationType": chart.visualization,
                "references": [data_view(index, REFERENCE)],
                "state": {
                    "visualization": chart.state(panel, columns),
                    "query": NO_QUERY,
                    "filters": lens_filters(panel),
                    "internalReferences": [],
                    "adHocDataViews": {},
                    "datasourceStates": {
                        "formBased": {
                            "layers": {
                                LAYER: {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}}
                            }
                        }
                    },
                },
            },
        },
    }


def lens_filters(panel: Json) -> list[Json]:
    """Write the panel's query as Kibana's filter in Elasticsearch's own words."""
    if "query" not in panel:
        return []
    meta = {
        "type": "custom",
        "key": "query",
        "value": json.dumps(panel["query"]),
        "alias": None,
        "negate": False,
        "disabled": False,
    }
    return [{"meta": meta, "query": panel["query"], "$state": {"store": "appState"}}]


def column(operation: str, field: str, label: str, **more: object) -> Json:
    """Describe one measure."""
    return {
        "operationType": operation,
        "sourceField": field,
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "isBucketed": False,
        "scale": "ratio",
        **more,
    }


def single(operation: str) -> Aggregation:
    def columns(panel: Json, aggregation: Json, mappings: Mapping[str, Any]) -> dict[str, Json]:
        return {"value": column(operation, aggregation["field"], panel["title"])}

    return columns


def percentiles(panel: Json, aggregation: Json, mappings: Mapping[str, Any]) -> dict[str, Json]:
    suffix = f" {panel['unit']}" if "unit" in panel else ""
    shown = {"id": "number", "params": {"decimals": 3, "suffix": suffix}}
    return {
        f"value-{percent}": column(
            "percentile", aggregation["field"], f"{percent} %", params={"percentile": percent, "format": shown}
        )
        for percent in aggregation["percents"]
    }


def over_time(panel: Json, aggregation: Json, mappings: Mapping[str, Any]) -> dict[str, Json]:
    parameters = {"interval": "auto", "includeEmptyRows": True}
    time = {"dataType": "date", "isBucketed": True, "scale": "interval", "params": parameters}
    return {
        "key": column("date_histogram", aggregation["field"], "", **time),
        "value": column("count", ALL_EVENTS, panel["title"]),
    }


def largest(panel: Json, aggregation: Json, mappings: Mapping[str, Any]) -> dict[str, Json]:
    parameters = {
        "size": aggregation["size"],
        "orderBy": {"type": "column", "columnId": "value"},
        "orderDirection": "desc",
        "otherBucket": False,
        "missingBucket": "missing" in aggregation,
        "parentFormat": {"id": "terms"},
    }
    kind = {"dataType": data_type(aggregation["field"], mappings), "isBucketed": True, "scale": "ordinal"}
    return {
        "key": column("terms", aggregation["field"], "", params=parameters, **kind),
        "value": column("count", ALL_EVENTS, panel["title"]),
    }


def data_type(field: str, mappings: Mapping[str, Any]) -> str:
    found: Mapping[str, Any] = mappings
    for name in field.split("."):
        found = found["properties"][name]
    return DATA_TYPES[found["type"]]


def metric(panel: Json, columns: Mapping[str, Json]) -> Json:
    return {
        "layerId": LAYER,
        "layerType": "data",
        "metricAccessor": next(iter(columns)),
        "subtitle": panel.get("note", ""),
    }


def table(panel: Json, columns: Mapping[str, Json]) -> Json:
    return {"layerId": LAYER, "layerType": "data", "columns": [{"columnId": name} for name in columns]}


def axes(series: str) -> Callable[[Json, Mapping[str, Json]], Json]:
    def state(panel: Json, columns: Mapping[str, Json]) -> Json:
        layer = {
            "layerId": LAYER,
            "layerType": "data",
            "seriesType": series,
            "xAccessor": "key",
            "accessors": ["value"],
        }
        return {
            "preferredSeriesType": series,
            "legend": {"isVisible": False, "position": "right"},
            "valueLabels": "show",
            "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
            "layers": [layer],
        }

    return state


AGGREGATIONS: dict[str, Aggregation] = {
    "value_count": single("count"),
    "cardinality": single("unique_count"),
    "percentiles": percentiles,
    "auto_date_histogram": over_time,
    "terms": largest,
}

CHARTS = {
    "number": Chart("lnsMetric", 12, 6, metric),
    "line": Chart("lnsXY", 48, 12, axes("area")),
    "bars": Chart("lnsXY", 24, 12, axes("bar_horizontal")),
    "values": Chart("lnsDatatable", 24, 12, table),
}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"kibana_dashboard": kibana_dashboard}
