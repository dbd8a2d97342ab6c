#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_object
short_description: Manage templates, aliases, repositories, roles and users of an Elasticsearch cluster
version_added: 0.1.0
description:
  - Creates, changes and deletes what a cluster keeps by name, described by the body of the cluster's own API.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - simple_analytics.pipeline.elasticsearch
attributes:
  check_mode:
    description: Can run in check mode and return the changed status without changing anything.
    support: full
  diff_mode:
    description: Returns the object before and after.
    support: full
  idempotent:
    description: An object that is as described stays, and so does a password that the cluster takes.
    support: full
options:
  kind:
    description:
      - What the object is.
    type: str
    required: true
    choices: [alias, component_template, index_template, repository, role, user]
  name:
    description:
      - Name of the object.
    type: str
    required: true
  body:
    description:
      - The object as the API takes it.
      - Each key that is named must have this value, as a whole. Keys that are not named stay as they are.
      - Of an alias it is C(indices) - every index that it leads to, by its full name, each with its properties, such as
        C(is_write_index) or C(filter), if any. It comes to lead to these and to no other in one step.
    type: dict
    default: {}
  user_password:
    description:
      - Password of the user, when O(kind=user). It is set when the cluster does not let the user in with it.
      - The cluster lets nobody in who is disabled. Such a user's password is set together with another change only,
        such as the one that enables the user.
    type: str
  state:
    description:
      - Whether the object exists.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Let readers search the alias
  simple_analytics.pipeline.elasticsearch_object:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    ca_path: /etc/elasticsearch/certs/ca.crt
    kind: role
    name: reader
    body:
      indices:
        - names: [simple-analytics-events]
          privileges: [read]

- name: Create a reader
  simple_analytics.pipeline.elasticsearch_object:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    ca_path: /etc/elasticsearch/certs/ca.crt
    kind: user
    name: alice
    body:
      roles: [reader]
    user_password: "{{ alice_password }}"

- name: Lead an alias from yesterday's index to today's
  simple_analytics.pipeline.elasticsearch_object:
    url: https://10.0.0.31:9200
    username: elastic
    password: "{{ elastic_password }}"
    ca_path: /etc/elasticsearch/certs/ca.crt
    kind: alias
    name: latest
    body:
      indices:
        simple-analytics-events-2026.11.28: {}
"""

RETURN = r"""
record:
  description: The object after the run, without what the cluster adds by itself. Empty when it does not exist.
  returned: success
  type: dict
  sample:
    indices:
      - names: [simple-analytics-events]
        privileges: [read]
"""

import typing as t
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import (
    CONNECTION_SPEC,
    Client,
    flatten,
    text,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError


class Kind(t.NamedTuple):
    path: str
    # Where the object lies in the answer to GET, given its name.
    unwrap: t.Callable[[dict[str, t.Any], str], dict[str, t.Any]]
    # What the cluster adds by itself; the API does not take it back.
    added: tuple[str, ...]


class Change(t.NamedTuple):
    before: dict[str, t.Any]
    after: dict[str, t.Any]
    # Method, what follows the object's path, body.
    calls: list[tuple[str, str, dict[str, t.Any] | None]]


TEMPLATE_DATES = ("created_date", "created_date_millis", "modified_date", "modified_date_millis")

KINDS = {
    "alias": Kind(
        "/_alias/",
        lambda answer, name: {"indices": {index: found["aliases"][name] for index, found in answer.items()}},
        (),
    ),
    "component_template": Kind(
        "/_component_template/",
        lambda answer, name: answer["component_templates"][0]["component_template"],
        TEMPLATE_DATES,
    ),
    "index_template": Kind(
        "/_index_template/",
        lambda answer, name: answer["index_templates"][0]["index_template"],
        TEMPLATE_DATES,
    ),
    "repository": Kind("/_snapshot/", lambda answer, name: answer[name], ("uuid",)),
    "role": Kind("/_security/role/", lambda answer, name: answer[name], ("transient_metadata",)),
    "user": Kind("/_security/user/", lambda answer, name: answer[name], ("username",)),
}


def normal(kind: str, body: dict[str, t.Any]) -> dict[str, t.Any]:
    """The body in the one form in which what is given and what the cluster returns are alike."""
    result = {key: value for key, value in body.items() if key not in KINDS[kind].added}
    if "settings" in (result.get("template") or {}):
        result["template"] = {**result["template"], "settings": flatten(result["template"]["settings"])}
    if kind == "repository" and "settings" in result:
        result["settings"] = {key: text(value) for key, value in result["settings"].items()}
    if kind == "alias" and "indices" in result:
        result["indices"] = {index: routed(properties) for index, properties in result["indices"].items()}
    if kind == "role" and "indices" in result:
        result["indices"] = [{"allow_restricted_indices": False, **entry} for entry in result["indices"]]
    return result


def routed(properties: dict[str, t.Any]) -> dict[str, t.Any]:
    """An alias's properties as the cluster would list them."""
    rest = {key: value for key, value in properties.items() if key != "routing"}
    routing = text(properties.get("routing"))
    return rest if routing is None else {"index_routing": routing, "search_routing": routing, **rest}


def moves(name: str, before: dict[str, t.Any], after: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Of an alias: what one call does at once, so that nobody finds it between two states."""
    former, wanted = before.get("indices", {}), after.get("indices", {})
    gone = [{"remove": {"index": index, "alias": name}} for index in former if index not in wanted]
    changed = {index: properties for index, properties in wanted.items() if former.get(index) != properties}
    return gone + [{"add": {"index": index, "alias": name, **properties}} for index, properties in changed.items()]


def plan(
    kind: str, current: dict[str, t.Any] | None, body: dict[str, t.Any], state: str, new_password: str | None
) -> Change:
    before = normal(kind, current or {})
    if state == "absent":
        return Change(before, {}, [] if current is None else [("DELETE", "", None)])
    after = {**before, **normal(kind, body)}
    if current is None or after != before:
        secret = {} if new_password is None else {"password": new_password}
        return Change(before, after, [("PUT", "", {**after, **secret})])
    # A disabled user is let in with no password, so none can be told from another.
    if new_password is not None and after.get("enabled", True):
        # Users that come with the cluster cannot be written, but their passwords can.
        return Change(before, after, [("PUT", "/_password", {"password": new_password})])
    return Change(before, after, [])


def run(module: AnsibleModule, client: Client) -> tuple[bool, dict[str, t.Any], dict[str, t.Any]]:
    kind, name, state = module.params["kind"], module.params["name"], module.params["state"]
    path = KINDS[kind].path + quote(name, safe="")
    answer = client.get(path)
    # Asked for a user that does not exist, some versions answer an empty object.
    current = KINDS[kind].unwrap(answer, name) if answer else None
    new_password = module.params["user_password"]
    if current and current.get("enabled", True) and new_password is not None and client.accepts(name, new_password):
        new_password = None

    change = plan(kind, current, module.params["body"], state, new_password)
    calls = [(method, path + suffix, body) for method, suffix, body in change.calls]
    if kind == "alias" and calls:
        calls = [("POST", "/_aliases", {"actions": moves(name, change.before, change.after)})]
    if not module.check_mode:
        for call in calls:
            client.request(*call)
    password_changes = state == "present" and new_password is not None and bool(calls)
    diff = {
        "before": {**change.before, **({"password": "another"} if current and password_changes else {})},
        "after": {**change.after, **({"password": "the given one"} if password_changes else {})},
    }
    return bool(calls), change.after, diff


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            "kind": {"type": "str", "required": True, "choices": list(KINDS)},
            "name": {"type": "str", "required": True},
            "body": {"type": "dict", "default": {}},
            "user_password": {"type": "str", "no_log": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    if module.params["user_password"] is not None and module.params["kind"] != "user":
        module.fail_json(msg=f"user_password is given for a {module.params['kind']}: only users have one.")
    alias = module.params["kind"] == "alias" and module.params["state"] == "present"
    if alias and not isinstance(module.params["body"].get("indices") or None, dict):
        module.fail_json(msg="body of an alias must name its indices, each with its properties.")
    try:
        changed, record, diff = run(module, Client.from_params(module.params))
    except PipelineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, record=record, diff=diff)


if __name__ == "__main__":
    main()
