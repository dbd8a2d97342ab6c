# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Calls to an Elasticsearch cluster, over Elastic's own transport library."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError

try:
    from elastic_transport import Transport, TransportError
    from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config
except ImportError:
    HAS_ELASTIC_TRANSPORT = False
else:
    HAS_ELASTIC_TRANSPORT = True

OBJECT = re.compile(r"^<?[\w.]*HTTPS?Connection\b.*?: (?=[A-Z])")
# As long as a node itself waits for its master and for the others.
REQUEST_SECONDS = 30
CONNECTION_SPEC: dict[str, t.Any] = {
    "url": {"type": "list", "elements": "str", "required": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "ca_path": {"type": "path"},
}


class ElasticsearchError(PipelineError):  # type: ignore[misc] # mypy finds no collections
    """A call that did not do what was asked; `status` and `answer` are None where no answer came."""

    def __init__(self, method: str, path: str, reason: str, status: int | None = None, answer: object = None) -> None:
        super().__init__(f"Failed to {method} {path}: {'' if status is None else f'{status} '}{reason}")
        self.status = status
        self.answer = answer

    @property
    def passing(self) -> bool:
        """Whether this is a node that is away, has too much to do, or right after its start knows no users."""
        return self.status in (None, 401, 429, 503)


class Form(t.NamedTuple):
    """The body of an upload."""

    content_type: str
    content: bytes


Body: t.TypeAlias = "dict[str, t.Any] | list[dict[str, t.Any] | bytes] | Form"


class Client:
    # Beside those that say who asks and what is sent.
    HEADERS: t.ClassVar[dict[str, str]] = {}

    def __init__(self, transport: Transport, username: str, password: str) -> None:
        self._transport = transport
        self._authorization = basic_auth_to_header((username, password))

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> Client:
        if not HAS_ELASTIC_TRANSPORT:
            raise ElasticsearchError("reach", ", ".join(params["url"]), missing_required_lib("elastic-transport"))
        nodes = [
            url_to_node_config(url).replace(request_timeout=REQUEST_SECONDS, **_tls(url, params["ca_path"]))
            for url in params["url"]
        ]
        return cls(Transport(nodes, **cls.transport_options()), params["username"], params["password"])

    @staticmethod
    def transport_options() -> dict[str, t.Any]:
        return {}

    def request(self, method: str, path: str, body: Body | None = None) -> dict[str, t.Any]:
        status, answer = self._perform(method, path, body, self._authorization)
        if status >= 300:
            raise ElasticsearchError(method, path, _reason(answer), status, answer)
        return answer

    def bulk(self, lines: list[dict[str, t.Any] | bytes]) -> dict[str, t.Any]:
        """Many writes in one call; each has its own result in the answer."""
        return self.request("POST", "/_bulk", lines)

    def get(self, path: str) -> dict[str, t.Any] | None:
        """The answer, or None where there is nothing of that name."""
        try:
            return self.request("GET", path)
        except ElasticsearchError as error:
            if error.status == 404:
                return None
            raise

    def accepts(self, username: str, password: str) -> bool:
        """Whether the cluster lets this user in with this password."""
        method, path = "GET", "/_security/_authenticate"
        status, answer = self._perform(method, path, None, basic_auth_to_header((username, password)))
        if status not in (200, 401):
            raise ElasticsearchError(method, path, _reason(answer), status)
        return status == 200

    def _perform(self, method: str, path: str, body: Body | None, authorization: str) -> tuple[int, dict[str, t.Any]]:
        headers = {"accept": "application/json", "authorization": authorization, **self.HEADERS}
        content: object = body
        if isinstance(body, Form):
            headers["content-type"], content = body
        elif body is not None:
            headers["content-type"] = "application/x-ndjson" if isinstance(body, list) else "application/json"
        try:
            response = self._transport.perform_request(method, path, body=content, headers=headers)
        except TransportError as error:
            raise ElasticsearchError(method, path, _silence(error)) from error
        return response.meta.status, response.body or {}


def flatten(settings: dict[str, t.Any], prefix: str = "") -> dict[str, t.Any]:
    """Index settings as the cluster would list them: full names, texts."""
    flat: dict[str, t.Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            name = f"{prefix}{key}"
            flat[name if name.startswith("index.") else f"index.{name}"] = text(value)
    return flat


def text(value: object) -> object:
    if isinstance(value, list):
        return [text(each) for each in value]
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tls(url: str, ca_path: str | None) -> dict[str, str]:
    # Without an authority of its own the library falls back to the system's.
    return {"ca_certs": ca_path} if ca_path and url.startswith("https:") else {}


def _silence(error: TransportError) -> str:
    """Why there is no answer, without the names of a library's objects."""
    return f"{str(error).partition(' caused by: ')[0]}: {OBJECT.sub('', str(error.message))}"


def _reason(answer: object) -> str:
    # Kibana names the category in `error` and says the rest in `message`.
    error = answer.get("message", answer.get("error", answer)) if isinstance(answer, dict) else answer
    if isinstance(error, dict) and "reason" in error:
        # The outer reason is often only the category ("illegal argument"); the innermost cause says what is wrong.
        cause = error
        while isinstance(cause.get("caused_by"), dict):
            cause = cause["caused_by"]
        reasons = dict.fromkeys(str(each["reason"]) for each in (error, cause) if each.get("reason"))
        return f"{error.get('type', 'error')}: {': '.join(reasons)}"
    return str(error)
