# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from unittest.mock import Mock

import boto3
import botocore.endpoint
import pytest
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._aws import CLIENT_CONFIG, calling
from ansible_collections.simple_analytics.pipeline.plugins.module_utils._errors import PipelineError
from botocore.awsrequest import AWSResponse
from botocore.config import Config


def test_what_stays_throttled_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Mock()
    monkeypatch.setattr(botocore.endpoint.time, "sleep", pauses)
    answer = json.dumps({"__type": "ProvisionedThroughputExceededException", "message": "Not now."}).encode()
    client = boto3.client(
        "kinesis",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(**CLIENT_CONFIG),
    )
    client.meta.events.register(
        "before-send", lambda **_: AWSResponse("", 400, {}, Mock(stream=lambda: iter([answer])))
    )
    with (
        pytest.raises(PipelineError, match=r"Failed to read: .*ProvisionedThroughputExceeded.* Not now"),
        calling("read"),
    ):
        client.get_records(ShardIterator="iterator")
    assert pauses.call_count == 9
