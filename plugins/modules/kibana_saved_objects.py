#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kibana_saved_objects
short_description: Manage dashboards, data views and other saved objects of Kibana
version_added: 0.1.0
description:
  - Imports saved objects into a space of Kibana, or deletes them from it, and makes the space.
  - Only what differs from what is there is imported. What Kibana adds to an object by itself is not compared.
  - It speaks to the saved objects' C(_export), C(_import) and delete APIs, and to that of spaces.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - simple_analytics.pipeline.elasticsearch
attributes:
  check_mode:
    description: Can run in check mode and return the changed status without changing anything.
    support: full
  diff_mode:
    description: Returns the objects that change, before and after, with the JSON that lies in their texts read.
    support: full
  idempotent:
    description: Objects that are as described stay.
    support: full
options:
  url:
    description:
      - Address of Kibana, with scheme and port.
  space:
    description:
      - Space of the objects, by its id.
    type: str
    default: default
  space_settings:
    description:
      - What the space is to be like, as its API takes it, such as C(name) and C(description).
      - Where it is given, a space that is missing is made, and each key that is named has this value.
      - O(state=absent) leaves the space alone, and has nothing to do where there is none.
    type: dict
    default: {}
  objects:
    description:
      - The objects, each with C(type), C(id), C(attributes) and C(references).
      - With O(state=absent) type and id are enough.
      - An object is replaced as a whole.
      - C(typeMigrationVersion) and C(coreMigrationVersion) say which Kibana it has the shape of, as in an export.
        Without them Kibana takes it for one of its first versions and converts it, at which many of today's fail.
    type: list
    elements: dict
    required: true
  state:
    description:
      - Whether the objects exist.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Keep a data view in the readers' space
  simple_analytics.pipeline.kibana_saved_objects:
    url: https://127.0.0.1:5601
    username: elastic
    password: "{{ elastic_password }}"
    ca_path: /etc/kibana/certs/ca.crt
    space: analytics
    space_settings:
      name: Web analytics
    objects:
      - type: index-pattern
        id: simple-analytics-events
        attributes: { title: simple-analytics-events, timeFieldName: "@timestamp" }
        references: []

- name: Remove a dashboard
  simple_analytics.pipeline.kibana_saved_objects:
    url: https://127.0.0.1:5601
    username: elastic
    password: "{{ elastic_password }}"
    ca_path: /etc/kibana/certs/ca.crt
    space: analytics
    objects:
      - type: dashboard
        id: old
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, to each object that was not as described, by type and id.
  returned: success
  type: dict
  sample: { "dashboard/simple-analytics-events": "update" }
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import CONNECTION_SPEC
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._kibana import (
    DEFAULT_SPACE,
    Json,
    Key,
    KibanaClient,
    key_of,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._saved_objects import (
    SavedObjectError,
    check,
    shown,
    within,
)


class Change(t.NamedTuple):
    what: str  # create, update or delete
    before: Json
    after: Json


def plan(objects: list[Json], found: dict[Key, Json], state: str) -> dict[Key, Change]:
    """What is to be done, by object."""
    changes: dict[Key, Change] = {}
    for item in objects:
        key = key_of(item)
        before = shown(found[key]) if key in found else {}
        if state == "absent":
            if before:
                changes[key] = Change("delete", before, {})
        elif not before:
            changes[key] = Change("create", {}, shown(item))
        elif not within(shown(item), before):
            # What is found beside what is given is left out, as it says nothing of what changes.
            named = {name: value for name, value in before["attributes"].items() if name in item["attributes"]}
            changes[key] = Change("update", {**before, "attributes": named}, shown(item))
    return changes


def plan_space(name: str, settings: Json, found: Json | None) -> Change | None:
    if not settings:
        if found is None and name != DEFAULT_SPACE:
            raise SavedObjectError(f"There is no space '{name}'. Give space_settings to have it made.")
        return None
    wanted = {**settings, "id": name}
    if found is None:
        return Change("create", {}, wanted)
    before = {key: value for key, value in found.items() if not key.startswith("_")}
    return None if within(wanted, before) else Change("update", before, {**before, **wanted})


def run(module: AnsibleModule, client: KibanaClient) -> dict[str, t.Any]:
    space, objects, state = module.params["space"], module.params["objects"], module.params["state"]
    check(objects, state)
    found_space = client.space(space)
    space_change = plan_space(space, module.params["space_settings"], found_space) if state == "present" else None
    found = client.find(space, map(key_of, objects)) if found_space else {}
    changes = plan(objects, found, state)

    if not module.check_mode:
        if space_change:
            (client.create_space if space_change.what == "create" else client.update_space)(space_change.after)
        written = [item for item in objects if key_of(item) in changes]
        if state == "present" and written:
            client.import_objects(space, written)
        elif state == "absent":
            # Who refers comes after what is referred to.
            for item in reversed(written):
                client.delete_object(space, key_of(item))

    named = {"/".join(key): change for key, change in changes.items()}
    if space_change:
        named = {f"space/{space}": space_change, **named}
    return {
        "changed": bool(named),
        "changes": {name: change.what for name, change in named.items()},
        "diff": {
            "before": {name: change.before for name, change in named.items()},
            "after": {name: change.after for name, change in named.items()},
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            "space": {"type": "str", "default": DEFAULT_SPACE},
            "space_settings": {"type": "dict", "default": {}},
            "objects": {"type": "list", "elements": "dict", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module, t.cast("KibanaClient", KibanaClient.from_params(module.params)))
    except PipelineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
