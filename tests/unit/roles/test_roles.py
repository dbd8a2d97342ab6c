# SPDX-License-Identifier: GPL-3.0-or-later
"""What each role promises: every variable documented, typed and described, and a README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

ROLES = sorted(path for path in (Path(__file__).resolve().parents[3] / "roles").iterdir() if path.is_dir())


def options(role: Path) -> dict[str, Any]:
    """All entry points' options together."""
    specs = DataLoader().load_from_file(str(role / "meta" / "argument_specs.yml"))["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def defaults(role: Path) -> dict[str, Any]:
    path = role / "defaults" / "main.yml"
    return DataLoader().load_from_file(str(path)) if path.exists() else {}


def commented_defaults(role: Path) -> list[str]:
    path = role / "defaults" / "main.yml"
    return re.findall(rf"^# ({role.name}_\w+):", path.read_text(), re.MULTILINE) if path.exists() else []


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_defaults_and_argument_specs_name_the_same_variables(role: Path) -> None:
    assert sorted({*defaults(role), *commented_defaults(role)}) == sorted(options(role))


def test_variables_begin_with_the_role(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


def test_variables_without_a_value_are_required(role: Path) -> None:
    valued = defaults(role)
    assert [name for name, option in options(role).items() if name not in valued and not option.get("required")] == []


def test_the_documentation_shows_each_plain_default(role: Path) -> None:
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    plain = {
        name: value
        for name, value in defaults(role).items()
        if "{{" not in str(value) and (name in documented or len(str(value)) < 50)
    }
    assert documented == plain


def test_options_have_a_type_and_a_sentence(role: Path) -> None:
    def lacking(found: dict[str, Any]) -> list[str]:
        return [
            name
            for key, option in found.items()
            for name in [
                *([key] if not {"type", "description"} <= option.keys() else []),
                *lacking(option.get("options", {})),
            ]
        ]

    assert lacking(options(role)) == []


def test_numbers_may_be_texts_as_the_command_line_gives_them(role: Path) -> None:
    numbers = "|".join(name for name, option in options(role).items() if option["type"] in {"int", "float"})
    calculated = re.compile(rf"\b({numbers})\s*([-+*/%<>]|[=!]=)|[+*/%<>=]\s*({numbers})\b(?!\s*\|\s*int)")
    files = [path for folder in ("tasks", "vars", "templates") for path in sorted((role / folder).glob("*")) if numbers]
    assert [line for path in files for line in path.read_text().splitlines() if calculated.search(line)] == []


def test_role_has_a_readme_under_its_name(role: Path) -> None:
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")
