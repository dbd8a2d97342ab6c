# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulated AWS for the time of the tests, and playbooks run against it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent

Playbook = Callable[..., subprocess.CompletedProcess[str]]

# What inventories/aws leaves to whoever has the account.
NETWORK = {"simple_analytics_vpc": "vpc-1", "simple_analytics_subnets": ["subnet-1", "subnet-2", "subnet-3"]}


@dataclass(frozen=True)
class Emulator:
    """Where the emulated AWS answers. It keeps accounts apart by the access key."""

    url: str
    account: str = "000000000000"

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=self.account,
            aws_secret_access_key="test",
        )

    @property
    def environment(self) -> dict[str, str]:
        """For programs that find AWS by the environment."""
        return {
            **os.environ,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def uv_tool(requirement: str, *command: str) -> list[str]:
    """A program in an environment of its own, since its dependencies clash with ours."""
    return [str(PROGRAMS / "uv"), "tool", "run", "--quiet", "--python", sys.executable, "--from", requirement, *command]


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An empty emulated AWS on loopback."""
    home = tmp_path_factory.mktemp("ministack")
    port = free_port()
    requirements = (ROOT / "sandbox" / "requirements.txt").read_text().splitlines()
    requirement = next(line for line in requirements if line.startswith("ministack=="))
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "S3_DATA_DIR": str(home / "s3"),
        "STATE_DIR": str(home / "state"),
        "TMPDIR": str(home),
    }
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(
            uv_tool(requirement, "ministack"), env={**os.environ, **settings}, stdout=log, stderr=log
        ) as process,
    ):
        emulator = Emulator(f"http://127.0.0.1:{port}")
        health = ["curl", "--silent", "--fail", "--output", "/dev/null", "--retry", "90", "--retry-delay", "1"]
        try:
            subprocess.run([*health, "--retry-connrefused", f"{emulator.url}/_ministack/health"], check=True)
            yield emulator
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def run_playbook(ministack: Emulator) -> Playbook:
    """Runs a playbook of the collection against the emulated AWS; the recap and all messages are in its output."""

    def run(
        playbook: str | Path, inventory: str | Path, *arguments: str, aws: Emulator = ministack
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAMS / "ansible-playbook"), "--inventory", str(inventory), str(playbook), *arguments],
            cwd=ROOT,
            env={**aws.environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
