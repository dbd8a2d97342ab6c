# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import boto3
import botocore.endpoint
import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import (
    CLIENT_CONFIG,
    calling,
    side_by_side,
)
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Mock:
    pauses = Mock()
    monkeypatch.setattr(botocore.endpoint.time, "sleep", pauses)
    return pauses


def answer(status: int, **body: object) -> AWSResponse:
    return AWSResponse("", status, {}, Mock(stream=lambda: iter([json.dumps(body).encode()])))


THROTTLED = {"__type": "ProvisionedThroughputExceededException", "message": "Not now."}


def answering(answers: Callable[[AWSRequest], AWSResponse]) -> Any:  # noqa: ANN401 - boto3's clients have no types
    client = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(**CLIENT_CONFIG),
    )
    client.meta.events.register("before-send", lambda request, **_: answers(request))
    return client


def test_what_stays_throttled_is_given_up(pauses: Mock) -> None:
    client = answering(lambda _: answer(400, **THROTTLED))
    with (
        pytest.raises(PipelineError, match=r"Failed to read: .*ProvisionedThroughputExceeded.* Not now"),
        calling("read"),
    ):
        client.list_tables()
    assert pauses.call_count == 9


def test_the_retries_of_one_call_are_not_at_the_expense_of_others() -> None:
    asked = Counter[bytes]()

    def at_the_fourth_time(request: AWSRequest) -> AWSResponse:
        asked[request.body] += 1
        return answer(200) if asked[request.body] == 4 else answer(400, **THROTTLED)

    client = answering(at_the_fourth_time)
    names = [f"shard-{number}" for number in range(60)]
    read = side_by_side(lambda name: client.get_item(TableName="leases", Key={"leaseKey": {"S": name}}), names)
    assert read.keys() == set(names)


def test_a_key_that_may_not_be_used_is_named() -> None:
    message = "User is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:key/1"
    error = ClientError({"Error": {"Code": "KMSAccessDeniedException", "Message": message}}, "GetRecords")
    with pytest.raises(PipelineError, match=r"may not use its key: .*kms:Decrypt on"), calling("read a shard"):
        raise error
