# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""What an index holds, as two numbers that are the same for an equal index.

To read all ids of a large index takes minutes. It is done while the index is written, at one point in time; what
it holds later is known from that and from the documents that changed since.
"""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import suppress
from urllib.parse import quote

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._elasticsearch import Client, ElasticsearchError
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PassingError

Json: t.TypeAlias = "dict[str, t.Any]"

PAGE = 10_000
KEPT = "pit_id,hits.hits._id,hits.hits._version,hits.hits.sort"
# From one page to the next, and while writes are kept back.
KEEP_ALIVE = "15m"


class Contents(t.NamedTuple):
    """The order of documents does not matter."""

    documents: int = 0
    checksum: int = 0

    def with_those(self, other: Contents) -> Contents:
        return Contents(self.documents + other.documents, (self.checksum + other.checksum) % 2**64)

    def without(self, other: Contents) -> Contents:
        return Contents(self.documents - other.documents, (self.checksum - other.checksum) % 2**64)


class View:
    """An index at one point in time."""

    def __init__(self, client: Client, index: str) -> None:
        self._client, self._index = client, index
        # A search finds no change before a refresh.
        client.request("POST", f"/{quote(index)}/_refresh")
        self._pit = client.request("POST", f"/{quote(index)}/_pit?keep_alive={KEEP_ALIVE}")["id"]

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_failure: object) -> None:
        with suppress(ElasticsearchError):  # it went with the index
            self._client.request("DELETE", "/_pit", {"id": self._pit})

    def pages(self, query: Json | None) -> t.Iterator[list[Json]]:
        """Ids and versions of the documents that it finds."""
        search: Json = {
            "size": PAGE,
            "_source": False,
            "version": True,
            "sort": ["_shard_doc"],
            "track_total_hits": False,
            **({"query": query} if query else {}),
        }
        while True:
            search["pit"] = {"id": self._pit, "keep_alive": KEEP_ALIVE}
            try:
                answer = self._client.request(
                    "POST", f"/_search?allow_partial_search_results=false&filter_path={KEPT}", search
                )
            except ElasticsearchError as error:
                if error.status != 404:
                    raise
                raise PassingError(
                    f"A node went while {self._index} was read. The same call reads it again."
                ) from error
            self._pit, hits = answer["pit_id"], answer.get("hits", {}).get("hits", [])
            if hits:
                yield hits
            if len(hits) < PAGE:
                return
            search["search_after"] = hits[-1]["sort"]

    def contents(self, query: Json | None = None) -> Contents:
        documents = checksum = 0
        for hits in self.pages(query):
            documents += len(hits)
            checksum += sum(_fingerprint(hit) for hit in hits)
        return Contents(documents, checksum % 2**64)


class Reading:
    """An index, or what of it a query finds. `since` is an operation that it had before this began."""

    def __init__(self, client: Client, index: str, query: Json | None, since: int) -> None:
        self._client, self._index, self._query, self._since = client, index, query, since
        self._then = View(client, index)
        self._held = Contents()

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._then.__exit__()

    def read(self) -> None:
        """Read all of it, as it was when this began."""
        self._held = self._then.contents(self._query)

    def now(self) -> Contents:
        """What it holds by now. No document may have been deleted meanwhile: that leaves nothing to be found by."""
        found = self._held
        with View(self._client, self._index) as now:
            for hits in now.pages({"range": {"_seq_no": {"gt": self._since}}}):
                changed: Json = {"ids": {"values": [hit["_id"] for hit in hits]}}
                query = {"bool": {"filter": [changed, *([self._query] if self._query else [])]}}
                found = found.without(self._then.contents(query)).with_those(now.contents(query))
        return found


def held(client: Client, index: str) -> Contents:
    """What an index holds at this moment."""
    with View(client, index) as view:
        return view.contents()


def _fingerprint(hit: Json) -> int:
    text = f"{hit['_id']} {hit['_version']}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
