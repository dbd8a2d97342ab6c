# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, as an operator asks for it."""

from __future__ import annotations

from .conftest import Landscape


def test_each_user_is_said_to_have_what_the_role_gives(landscape: Landscape) -> None:
    said = landscape.playbook("access")
    for granted in (
        "simple-analytics-events-*: auto_configure, index",
        "simple-analytics-events: read, view_index_metadata",
        "Kibana, space:analytics: space_read",
        "the cluster: monitor, create_snapshot, monitor_snapshot, cluster:admin/snapshot/delete",
        "Nobody: there is no load balancer",
    ):
        assert granted in said
