# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from unittest.mock import Mock, call

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.modules import elasticsearch_object
from ansible_collections.simple_analytics.pipeline.plugins.modules.elasticsearch_object import (
    flatten,
    moves,
    normal,
    plan,
    run,
)

CONNECTION = {"url": ["https://10.0.0.1:9200"], "username": "elastic", "password": "secret"}
ROLE = {"indices": [{"names": ["events"], "privileges": ["read"], "allow_restricted_indices": False}]}


def module(check_mode: bool = False, **params: object) -> Mock:
    """Only what `run` may use of the module."""
    fake = Mock(spec_set=["params", "check_mode", "warn", "deprecate"])
    fake.params = {"body": {}, "state": "present", "user_password": None, **params}
    fake.check_mode = check_mode
    return fake


def client(answer: dict[str, t.Any] | None, accepts: bool = True) -> Mock:
    fake = Mock(spec=Client)
    fake.get.return_value = answer
    fake.accepts.return_value = accepts
    return fake


class TestFlatten:
    @pytest.mark.parametrize(
        "given, flat",
        [
            ({"index": {"number_of_shards": 1}}, {"index.number_of_shards": "1"}),
            ({"number_of_shards": 1}, {"index.number_of_shards": "1"}),
            ({"index.mapping.depth_limit": "20"}, {"index.mapping.depth_limit": "20"}),
            ({"index": {"hidden": True}}, {"index.hidden": "true"}),
            ({"index": {"sort.field": ["a", 1]}}, {"index.sort.field": ["a", "1"]}),
            ({"index": {"refresh_interval": None}}, {"index.refresh_interval": None}),
        ],
    )
    def test_every_way_of_writing_settings_becomes_one(self, given: dict[str, t.Any], flat: dict[str, t.Any]) -> None:
        assert flatten(given) == flat


class TestNormal:
    def test_what_the_cluster_adds_is_no_part_of_the_object(self) -> None:
        answer = {"template": {}, "created_date_millis": 1, "modified_date": "now"}
        assert normal("component_template", answer) == {"template": {}}

    def test_a_role_says_what_the_cluster_would_fill_in(self) -> None:
        assert normal("role", {"indices": [{"names": ["events"], "privileges": ["read"]}]}) == ROLE

    @pytest.mark.parametrize(
        "given, listed",
        [
            ({}, {}),
            ({"routing": 1}, {"index_routing": "1", "search_routing": "1"}),
            ({"routing": "1", "search_routing": "1,2"}, {"index_routing": "1", "search_routing": "1,2"}),
            ({"is_write_index": True}, {"is_write_index": True}),
        ],
    )
    def test_an_alias_says_of_both_what_is_said_of_routing(self, given: dict[str, t.Any], listed: object) -> None:
        assert normal("alias", {"indices": {"a": given}}) == {"indices": {"a": listed}}

    def test_mappings_stay_as_they_are(self) -> None:
        body = {"template": {"mappings": {"dynamic": False, "properties": {"a": {"ignore_above": 1024}}}}}
        assert normal("index_template", body) == body


class TestMoves:
    def test_an_alias_leads_to_the_wanted_indices_and_to_no_other(self) -> None:
        before = {"indices": {"a": {}, "b": {"is_write_index": True}, "c": {}}}
        after = {"indices": {"b": {"is_write_index": False}, "c": {}, "d": {"is_write_index": True}}}
        assert moves("x", before, after) == [
            {"remove": {"index": "a", "alias": "x"}},
            {"add": {"index": "b", "alias": "x", "is_write_index": False}},
            {"add": {"index": "d", "alias": "x", "is_write_index": True}},
        ]

    def test_an_alias_that_goes_leads_nowhere(self) -> None:
        assert moves("x", {"indices": {"a": {}}}, {}) == [{"remove": {"index": "a", "alias": "x"}}]


class TestPlan:
    def test_creates_what_is_missing(self) -> None:
        change = plan("role", None, ROLE, "present", None)
        assert change == ({}, ROLE, [("PUT", "", ROLE)])

    def test_leaves_alone_what_is_as_described(self) -> None:
        current = {**ROLE, "metadata": {}, "transient_metadata": {"enabled": True}}
        assert plan("role", current, ROLE, "present", None).calls == []

    def test_keeps_the_keys_that_are_not_named(self) -> None:
        change = plan("role", {**ROLE, "cluster": ["monitor"]}, {"cluster": ["all"]}, "present", None)
        assert change.calls == [("PUT", "", {**ROLE, "cluster": ["all"]})]

    def test_a_named_key_has_its_value_as_a_whole(self) -> None:
        current = {"template": {"mappings": {"properties": {"old": {"type": "ip"}}}}}
        body: dict[str, t.Any] = {"template": {"mappings": {"properties": {}}}}
        assert plan("component_template", current, body, "present", None).calls == [("PUT", "", body)]

    def test_writes_body_and_password_of_a_user_at_once(self) -> None:
        change = plan("user", None, {"roles": ["reader"]}, "present", "new-password")
        assert change.calls == [("PUT", "", {"roles": ["reader"], "password": "new-password"})]

    def test_sets_only_the_password_of_a_user_that_is_as_described(self) -> None:
        current = {"username": "kibana_system", "roles": ["kibana_system"], "metadata": {"_reserved": True}}
        change = plan("user", current, {}, "present", "new-password")
        assert change.calls == [("PUT", "/_password", {"password": "new-password"})]

    def test_a_disabled_user_s_password_cannot_be_told_from_another(self) -> None:
        current = {"roles": ["reader"], "enabled": False}
        assert plan("user", current, {"roles": ["reader"]}, "present", "new-password").calls == []

    def test_sets_the_password_of_a_user_who_is_enabled_again(self) -> None:
        change = plan("user", {"enabled": False}, {"enabled": True}, "present", "new-password")
        assert change.calls == [("PUT", "", {"enabled": True, "password": "new-password"})]

    def test_deletes_what_is_there(self) -> None:
        assert plan("role", ROLE, {}, "absent", None) == (ROLE, {}, [("DELETE", "", None)])

    def test_has_nothing_to_delete(self) -> None:
        assert plan("role", None, {}, "absent", None) == ({}, {}, [])


class TestRun:
    ROLE_PARAMS: t.ClassVar[dict[str, t.Any]] = {"kind": "role", "name": "reader", "body": ROLE}
    USER_PARAMS: t.ClassVar[dict[str, t.Any]] = {
        "kind": "user",
        "name": "reader",
        "body": {"roles": ["reader"]},
        "user_password": "new-password",
    }

    def test_creates(self) -> None:
        cluster = client(None)
        assert run(module(**self.ROLE_PARAMS), cluster) == (True, ROLE, {"before": {}, "after": ROLE})
        assert cluster.mock_calls == [
            call.get("/_security/role/reader"),
            call.request("PUT", "/_security/role/reader", ROLE),
        ]

    def test_changes_nothing_the_second_time(self) -> None:
        cluster = client({"reader": ROLE})
        assert run(module(**self.ROLE_PARAMS), cluster) == (False, ROLE, {"before": ROLE, "after": ROLE})
        cluster.request.assert_not_called()

    def test_check_mode_tells_the_same_and_writes_nothing(self) -> None:
        cluster = client(None)
        assert run(module(check_mode=True, **self.ROLE_PARAMS), cluster)[0] is True
        cluster.request.assert_not_called()

    def test_deletes(self) -> None:
        cluster = client({"reader": ROLE})
        params = {**self.ROLE_PARAMS, "state": "absent"}
        assert run(module(**params), cluster) == (True, {}, {"before": ROLE, "after": {}})
        cluster.request.assert_called_once_with("DELETE", "/_security/role/reader", None)

    def test_quotes_the_name(self) -> None:
        cluster = client(None)
        run(module(kind="role", name="a/b", state="absent"), cluster)
        cluster.get.assert_called_once_with("/_security/role/a%2Fb")

    @pytest.mark.parametrize(
        "params, action",
        [
            ({"body": {"indices": {"b": {}}}}, {"add": {"index": "b", "alias": "x"}}),
            ({"state": "absent"}, None),
        ],
    )
    def test_moves_an_alias_in_one_call(self, params: dict[str, t.Any], action: dict[str, t.Any] | None) -> None:
        cluster = client({"a": {"aliases": {"x": {}}}})
        assert run(module(kind="alias", name="x", **params), cluster)[0] is True
        actions = [{"remove": {"index": "a", "alias": "x"}}, *([action] if action else [])]
        assert cluster.mock_calls == [
            call.get("/_alias/x"),
            call.request("POST", "/_aliases", {"actions": actions}),
        ]

    def test_leaves_an_alias_alone_that_leads_there(self) -> None:
        cluster = client({"a": {"aliases": {"x": {"filter": {"term": {"b": 1}}}}}})
        body = {"indices": {"a": {"filter": {"term": {"b": 1}}}}}
        assert run(module(kind="alias", name="x", body=body), cluster)[:2] == (False, body)
        cluster.request.assert_not_called()

    @pytest.mark.parametrize(
        "kind, answer",
        [
            ("component_template", {"component_templates": [{"name": "x", "component_template": {"version": 2}}]}),
            ("index_template", {"index_templates": [{"name": "x", "index_template": {"version": 2}}]}),
            ("repository", {"x": {"version": 2}}),
            ("role", {"x": {"version": 2}}),
            ("user", {"x": {"version": 2}}),
        ],
    )
    def test_finds_each_kind_in_its_answer(self, kind: str, answer: dict[str, t.Any]) -> None:
        assert run(module(kind=kind, name="x", body={"version": 2}), client(answer))[0] is False

    def test_takes_an_empty_answer_as_absence(self) -> None:
        assert run(module(**self.USER_PARAMS), client({}))[0] is True

    def test_leaves_a_password_alone_that_opens(self) -> None:
        cluster = client({"reader": {"username": "reader", "roles": ["reader"]}})
        assert run(module(**self.USER_PARAMS), cluster)[0] is False
        cluster.accepts.assert_called_once_with("reader", "new-password")

    def test_does_not_try_the_password_of_a_disabled_user(self) -> None:
        disabled = {"roles": ["reader"], "enabled": False}
        cluster = client({"reader": disabled}, accepts=False)
        params = {**self.USER_PARAMS, "body": disabled}
        assert run(module(**params), cluster) == (False, disabled, {"before": disabled, "after": disabled})
        cluster.accepts.assert_not_called()

    def test_sets_a_password_that_does_not_and_never_shows_it(self) -> None:
        cluster = client({"reader": {"username": "reader", "roles": ["reader"]}}, accepts=False)
        changed, record, diff = run(module(**self.USER_PARAMS), cluster)
        cluster.request.assert_called_once_with("PUT", "/_security/user/reader/_password", {"password": "new-password"})
        assert changed
        assert diff["before"] != diff["after"]
        assert "new-password" not in json.dumps([record, diff])


class TestMain:
    def outcome(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], result: Mock, **params: object
    ) -> dict[str, t.Any]:
        monkeypatch.setattr(elasticsearch_object, "run", result)
        with patch_module_args({**CONNECTION, **params}), pytest.raises(SystemExit):
            elasticsearch_object.main()
        return t.cast("dict[str, t.Any]", json.loads(capfd.readouterr().out))

    def test_takes_the_least_and_returns_the_record(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        result = Mock(return_value=(True, ROLE, {"before": {}, "after": ROLE}))
        outcome = self.outcome(monkeypatch, capfd, result, kind="role", name="reader")
        assert (outcome["changed"], outcome["record"]) == (True, ROLE)

    def test_never_shows_the_passwords_it_is_given(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        echo = {"password": "secret", "user_password": "new-password"}
        result = Mock(return_value=(True, echo, {"before": {}, "after": {}}))
        outcome = self.outcome(monkeypatch, capfd, result, kind="user", name="reader", user_password="new-password")
        assert outcome["record"] == dict.fromkeys(echo, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")

    def test_fails_with_the_cluster_s_words(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        result = Mock(side_effect=ElasticsearchError("GET", "/x", "no", 403))
        outcome = self.outcome(monkeypatch, capfd, result, kind="role", name="reader")
        assert (outcome["failed"], outcome["msg"]) == (True, "Failed to GET /x: 403 no")

    @pytest.mark.parametrize(
        "params, message",
        [
            ({"kind": "pipeline", "name": "x"}, "value of kind must be one of"),
            ({"kind": "role"}, "missing required arguments: name"),
            ({"kind": "role", "name": "x", "user_password": "new-password"}, "only users have one"),
            ({"kind": "alias", "name": "x", "body": {"indices": ["a"]}}, "must name its indices, each"),
            ({"kind": "alias", "name": "x"}, "must name its indices, each"),
        ],
    )
    def test_refuses(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        params: dict[str, t.Any],
        message: str,
    ) -> None:
        result = Mock()
        outcome = self.outcome(monkeypatch, capfd, result, **params)
        assert outcome["failed"]
        assert message in outcome["msg"]
        result.assert_not_called()
