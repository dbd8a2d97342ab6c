# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""What a reindex says of itself."""

from __future__ import annotations

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindex import NOTHING, Json, kept_as
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._reindexing import Work


def diff(works: list[Work]) -> dict[str, Json]:
    """Settings and mappings of each name, before and after."""
    changing = [work for work in works if work.step != NOTHING]
    return {
        "before": {
            work.family.name: {
                "settings": {key: work.family.live.settings.get(key) for key in work.asked.settings},
                "mappings": work.family.live.plain_mappings,
            }
            for work in changing
        },
        "after": {
            work.family.name: {"settings": work.asked.settings, "mappings": work.asked.mappings} for work in changing
        },
    }


def described(work: Work, state: str, documents: int, keep: bool) -> Json:
    kept = {"kept": kept_as(work.family, work.target)} if keep else {}
    names = {} if state == "same" else {"target": work.target, **kept}
    return {"state": state, "documents": documents, **names}


def copied(work: Work, state: str, documents: int) -> int:
    """How many of its documents are where they are to be."""
    if state in ("same", "switched"):
        return documents
    if state != "copying" or work.task is None:
        return 0
    rest: int = work.task.total - work.task.done
    return max(0, documents - rest)


def summary(states: list[str], done: int, documents: int) -> str:
    as_asked = states.count("same") + states.count("switched")
    others = [f"{states.count(state)} {state}" for state in ("copying", "waiting", "broken") if state in states]
    said = ", ".join([f"{as_asked} of {len(states)} indices as asked", *others])
    return f"{said}; {done} of {documents} documents"
