# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import typing as t
from unittest.mock import Mock, call

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._kibana import KibanaClient
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._saved_objects import SavedObjectError
from ansible_collections.simple_analytics.pipeline.plugins.modules import kibana_saved_objects
from ansible_collections.simple_analytics.pipeline.plugins.modules.kibana_saved_objects import (
    plan,
    plan_space,
    run,
)

Json = dict[str, t.Any]
VIEW: Json = {"type": "index-pattern", "id": "events", "attributes": {"title": "events"}, "references": []}
REFERENCE = {"type": "index-pattern", "id": "events", "name": "0:layer"}
BOARD: Json = {
    "type": "dashboard",
    "id": "web",
    "attributes": {"title": "Web", "panelsJSON": json.dumps([{"w": 12, "query": {"match": 1}}])},
    "references": [REFERENCE],
}
VIEW_KEY, BOARD_KEY = ("index-pattern", "events"), ("dashboard", "web")


def kept(item: Json) -> Json:
    """As Kibana gives it back: with what it adds, and its own way of writing JSON."""
    attributes = {**item["attributes"], "version": 3}
    if "panelsJSON" in attributes:
        panels = [{**panel, "version": "9.4.3"} for panel in json.loads(attributes["panelsJSON"])]
        attributes["panelsJSON"] = json.dumps(panels, indent=1)
    return {**item, "attributes": attributes, "updated_at": "2026-11-28", "managed": False}


def whats(changes: dict[tuple[str, str], t.Any]) -> dict[tuple[str, str], str]:
    return {key: change.what for key, change in changes.items()}


class TestPlan:
    def test_creates_what_is_missing(self) -> None:
        found = {VIEW_KEY: kept(VIEW)}
        assert whats(plan([VIEW, BOARD], found, "present")) == {BOARD_KEY: "create"}

    def test_what_kibana_adds_is_no_change(self) -> None:
        assert plan([VIEW, BOARD], {VIEW_KEY: kept(VIEW), BOARD_KEY: kept(BOARD)}, "present") == {}

    @pytest.mark.parametrize(
        "panels",
        [
            [{"w": 24, "query": {"match": 1}}],
            [{"w": 12, "query": {"match": 2}}],
            [{"w": 12, "query": {"match": 1}}, {"w": 6}],
            [],
        ],
        ids=["moved", "asks something else", "one more", "none"],
    )
    def test_what_was_changed_by_hand_is_brought_back(self, panels: list[Json]) -> None:
        attributes = {**BOARD["attributes"], "panelsJSON": json.dumps(panels)}
        changes = plan([BOARD], {BOARD_KEY: kept({**BOARD, "attributes": attributes})}, "present")
        assert whats(changes) == {BOARD_KEY: "update"}
        [change] = changes.values()
        assert change.after["attributes"]["panelsJSON"] == json.loads(BOARD["attributes"]["panelsJSON"])
        assert [panel["w"] for panel in change.before["attributes"]["panelsJSON"]] == [panel["w"] for panel in panels]

    @pytest.mark.parametrize("state, what", [("present", "update"), ("absent", "delete")])
    def test_what_was_broken_there_is_mended_or_deleted(self, state: str, what: str) -> None:
        found = {BOARD_KEY: {**BOARD, "attributes": {"title": "Web", "panelsJSON": ""}}}
        assert whats(plan([BOARD], found, state)) == {BOARD_KEY: what}

    def test_another_data_view_is_a_change(self) -> None:
        found = kept({**BOARD, "references": [{**REFERENCE, "id": "others"}]})
        assert whats(plan([BOARD], {BOARD_KEY: found}, "present")) == {BOARD_KEY: "update"}

    def test_the_order_of_references_says_nothing(self) -> None:
        references = [REFERENCE, {**REFERENCE, "name": "1:layer"}]
        found = kept({**BOARD, "references": references[::-1]})
        assert plan([{**BOARD, "references": references}], {BOARD_KEY: found}, "present") == {}

    def test_deletes_what_is_there(self) -> None:
        assert whats(plan([VIEW, BOARD], {VIEW_KEY: kept(VIEW)}, "absent")) == {VIEW_KEY: "delete"}


class TestPlanSpace:
    SETTINGS: t.ClassVar[Json] = {"name": "Web analytics"}

    def test_creates_it(self) -> None:
        change = plan_space("analytics", self.SETTINGS, None)
        assert change == ("create", {}, {"id": "analytics", "name": "Web analytics"})

    def test_leaves_alone_what_is_as_described(self) -> None:
        found = {"id": "analytics", "name": "Web analytics", "color": "#aabbcc", "disabledFeatures": []}
        assert plan_space("analytics", self.SETTINGS, found) is None

    def test_keeps_what_is_not_named(self) -> None:
        found = {"id": "default", "name": "Default", "color": "#aabbcc", "_reserved": True}
        change = plan_space("default", self.SETTINGS, found)
        assert change
        assert change.what == "update"
        assert change.after == {"id": "default", "name": "Web analytics", "color": "#aabbcc"}

    def test_a_space_that_nobody_described_must_be_there(self) -> None:
        with pytest.raises(SavedObjectError, match="no space 'analytics'"):
            plan_space("analytics", {}, None)


def module(check_mode: bool = False, **params: object) -> Mock:
    """Only what `run` may use of the module."""
    fake = Mock(spec_set=["params", "check_mode"])
    fake.params = {"space": "analytics", "space_settings": {}, "state": "present", "objects": [VIEW, BOARD], **params}
    fake.check_mode = check_mode
    return fake


def client(space: Json | None, *found: Json) -> Mock:
    fake = Mock(spec=KibanaClient)
    fake.space.return_value = space
    fake.find.return_value = {(item["type"], item["id"]): kept(item) for item in found}
    return fake


WRITES = ("create_space", "update_space", "import_objects", "delete_object")


def writes(fake: Mock) -> list[t.Any]:
    return [made for made in fake.mock_calls if made[0] in WRITES]


class TestRun:
    def test_makes_the_space_before_what_lies_in_it(self) -> None:
        kibana = client(None)
        result = run(module(space_settings={"name": "Web"}), kibana)
        assert writes(kibana) == [
            call.create_space({"id": "analytics", "name": "Web"}),
            call.import_objects("analytics", [VIEW, BOARD]),
        ]
        assert not kibana.find.called, "asks a space that is not there"
        assert result["changes"] == {
            "space/analytics": "create",
            "index-pattern/events": "create",
            "dashboard/web": "create",
        }

    def test_imports_only_what_differs(self) -> None:
        kibana = client({"id": "analytics"}, VIEW)
        assert run(module(), kibana)["changes"] == {"dashboard/web": "create"}
        assert writes(kibana) == [call.import_objects("analytics", [BOARD])]

    def test_changes_nothing_where_all_is_as_described(self) -> None:
        kibana = client({"id": "analytics"}, VIEW, BOARD)
        result = run(module(), kibana)
        assert (result["changed"], result["diff"], writes(kibana)) == (False, {"before": {}, "after": {}}, [])

    def test_check_mode_tells_and_changes_nothing(self) -> None:
        kibana = client(None)
        result = run(module(check_mode=True, space_settings={"name": "Web"}), kibana)
        assert result["changed"]
        assert set(result["diff"]["after"]) == {"space/analytics", "index-pattern/events", "dashboard/web"}
        assert writes(kibana) == []

    def test_deletes_what_refers_before_what_is_referred_to(self) -> None:
        kibana = client({"id": "analytics"}, VIEW, BOARD)
        run(module(state="absent", space_settings={"name": "Web"}), kibana)
        assert writes(kibana) == [call.delete_object("analytics", BOARD_KEY), call.delete_object("analytics", VIEW_KEY)]

    def test_has_nothing_to_delete_where_there_is_no_space(self) -> None:
        kibana = client(None)
        assert run(module(state="absent"), kibana)["changes"] == {}
        assert writes(kibana) == []

    def test_only_names_what_it_deletes(self) -> None:
        kibana = client({"id": "analytics"}, VIEW)
        view = {**VIEW, "attributes": {"fieldsJSON": "["}, "references": [{}]}
        assert run(module(state="absent", objects=[view]), kibana)["changes"] == {"index-pattern/events": "delete"}

    @pytest.mark.parametrize(
        "objects, said",
        [
            ([{"type": "dashboard", "attributes": {}}], "lacks id"),
            ([{"type": "dashboard", "id": "web"}], "lacks attributes"),
            ([VIEW, VIEW], "index-pattern/events is given twice"),
            (
                [{**BOARD, "references": [{"type": "index-pattern", "id": "events"}]}],
                'dashboard/web has the reference {"type": "index-pattern", "id": "events"}, which lacks name',
            ),
            (
                [{**BOARD, "attributes": {"meta": {"searchSourceJSON": "{query}"}}}],
                "dashboard/web has as searchSourceJSON what is no JSON: {query}",
            ),
        ],
    )
    def test_refuses_what_is_no_object_before_it_asks(self, objects: list[Json], said: str) -> None:
        kibana = client(None)
        with pytest.raises(SavedObjectError, match=re.escape(said)):
            run(module(objects=objects), kibana)
        assert kibana.mock_calls == []


def test_an_error_of_kibana_is_its_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kibana = client(None)
    kibana.space.side_effect = ElasticsearchError("GET", "/api/spaces/space/default", "refused", 401)
    monkeypatch.setattr(KibanaClient, "from_params", lambda params: kibana)
    params = {"url": ["https://127.0.0.1:5601"], "username": "elastic", "password": "secret", "objects": [VIEW]}
    with patch_module_args(params), pytest.raises(SystemExit):
        kibana_saved_objects.main()
    said = json.loads(capsys.readouterr().out)
    assert (said["failed"], said["msg"]) == (True, "Failed to GET /api/spaces/space/default: 401 refused")
