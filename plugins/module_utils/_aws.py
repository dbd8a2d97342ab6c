# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This util is PRIVATE to the collection: it may change or go without notice.

"""Calls to AWS: retried within limits, and explained when they fail."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError

with suppress(ImportError):  # AnsibleAWSModule says what is missing
    from botocore.exceptions import BotoCoreError, ClientError

# Shards are independent of each other, so their calls go out side by side, over one client's connections.
WORKERS = 32
# Not botocore's mode `standard`, in which all threads of a client share a hundred retries.
CLIENT_CONFIG = {"retries": {"mode": "legacy", "total_max_attempts": 10}, "max_pool_connections": WORKERS}
T = t.TypeVar("T")
FORBIDDEN = {"AccessDenied", "AccessDeniedException"}


@contextmanager
def calling(verb_phrase: str, missing: str = "") -> t.Iterator[None]:
    """Turn an error inside into a sentence about what was to be done; `missing` is the one for what does not exist."""
    try:
        yield
    except ClientError as error:
        code, operation = error.response["Error"].get("Code", ""), error.operation_name
        if code == "ResourceNotFoundException" and missing:
            raise PipelineError(f"Failed to {verb_phrase}: {missing}") from error
        if code in FORBIDDEN:
            raise PipelineError(f"Failed to {verb_phrase}: these credentials may not call {operation}.") from error
        if code == "KMSAccessDeniedException":
            raise PipelineError(f"Failed to {verb_phrase}: these credentials may not use its key: {error}") from error
        raise PipelineError(f"Failed to {verb_phrase}: {error}") from error
    except BotoCoreError as error:
        raise PipelineError(f"Failed to {verb_phrase}: {error}") from error


def side_by_side(function: t.Callable[[str], T], names: t.Iterable[str]) -> dict[str, T]:
    """What the function makes of each name. The first error ends it, and what has not begun by then does not begin."""
    names = list(names)
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = {name: pool.submit(function, name) for name in names}
        try:
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
