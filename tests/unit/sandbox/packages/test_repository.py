# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[4] / "sandbox" / "packages"


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one small package, in a folder beside the keys that signed it."""
    base = tmp_path_factory.mktemp("m")
    control = base / "root" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: sample\nVersion: 1:2.3-1\nArchitecture: all\nMaintainer: A <a@example.invalid>\nDescription: sample\n"
    )
    run("dpkg-deb", "--build", base / "root", base / "sample-0123.deb")
    (base / "www").mkdir()
    run("bash", PACKAGES / "repository.sh", base / "www", base / "keys", "9.x", base / "sample-0123.deb")
    return base


def test_release_is_signed_by_the_key_of_the_written_fingerprint(mirror: Path) -> None:
    home = mirror / "reader"
    home.mkdir(mode=0o700)
    run("gpg", "--homedir", home, "--batch", "--quiet", "--import", mirror / "www" / "GPG-KEY-elasticsearch")
    release = mirror / "www/packages/9.x/apt/dists/stable/InRelease"
    status = run(
        "gpg", "--homedir", home, "--batch", "--status-fd", "1", "--output", home / "Release", "--decrypt", release
    )
    fingerprint = (mirror / "www" / "fingerprint").read_text().strip()
    assert f"[GNUPG:] VALIDSIG {fingerprint} " in status


def test_index_names_the_package_where_it_lies(mirror: Path) -> None:
    apt = mirror / "www/packages/9.x/apt"
    architecture = run("dpkg", "--print-architecture").strip()
    index = (apt / f"dists/stable/main/binary-{architecture}/Packages").read_text().splitlines()
    assert "Version: 1:2.3-1" in index
    assert "Filename: pool/main/s/sample/sample.deb" in index
    assert run("dpkg-deb", "--field", apt / "pool/main/s/sample/sample.deb", "Package") == "sample\n"


def test_a_second_signing_keeps_the_key(mirror: Path) -> None:
    before = (mirror / "www" / "fingerprint").read_text()
    run("bash", PACKAGES / "repository.sh", mirror / "www", mirror / "keys", "9.x", mirror / "sample-0123.deb")
    assert (mirror / "www" / "fingerprint").read_text() == before
