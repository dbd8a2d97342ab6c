# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugins for S3 share: the options that name an account's services, and the client that they make."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from .config import ConfigurationError
from .plugins.base import Option

OPTIONS = {
    "region": Option(default="us-east-1"),
    "endpoint": Option(),
    "access_key_id": Option(),
    "secret_access_key": Option(),
    "additional_settings": Option("hash", default={}),
}


def s3_client(settings: dict[str, Any]) -> BaseClient:
    for name in settings["additional_settings"]:
        if name != "force_path_style":
            raise ConfigurationError(f"The stand-in does not know additional_settings => {name} of the s3 plugins")
    path_style = str(settings["additional_settings"].get("force_path_style")).lower() == "true"
    return boto3.client(
        "s3",
        region_name=settings["region"],
        endpoint_url=settings["endpoint"],
        aws_access_key_id=settings["access_key_id"],
        aws_secret_access_key=settings["secret_access_key"],
        config=Config(s3={"addressing_style": "path" if path_style else "auto"}),
    )
