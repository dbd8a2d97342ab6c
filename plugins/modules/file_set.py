#!/usr/bin/python

# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: file_set
short_description: Write a set of small files at once
version_added: 0.1.0
description:
  - Writes text files, makes the folders they lie in, and removes what else lies in folders that belong to the set.
  - A loop of M(ansible.builtin.copy) does the same in several round trips a file, which is slow over SSM.
author: Simple Analytics contributors (@simple-analytics)
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    description: Can run in check mode and return the changed status without changing anything.
    support: full
  diff_mode:
    description: Returns each file before and after.
    support: full
options:
  files:
    description:
      - Texts by absolute path.
      - Owner, group and mode are those of the files. Folders that are made belong to root and can be entered by all.
    type: dict
    required: true
  folders:
    description:
      - Folders that hold nothing but the set. They are made; whatever else lies in them is removed.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Write the pipelines
  simple_analytics.pipeline.file_set:
    files:
      /etc/logstash/pipelines.yml: "- pipeline.id: hello"
      /etc/logstash/conf.d/hello/hello.conf: "input { heartbeat { } }"
    folders: [/etc/logstash/conf.d]
    group: logstash
    mode: "0640"
"""

RETURN = r"""
written:
  description: Paths whose text, owner, group or mode changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/logstash/pipelines.yml]
removed:
  description: Paths of files and folders that were removed.
  returned: success
  type: list
  elements: str
  sample: [/etc/logstash/conf.d/gone, /etc/logstash/conf.d/gone/gone.conf]
former:
  description:
    - Texts by path of what the set and its folders held before.
    - Given as O(files) with the same O(folders) they bring those texts back.
  returned: success
  type: dict
  sample: {/etc/logstash/pipelines.yml: "- pipeline.id: gone"}
"""

import os
import tempfile
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def complaint(files: t.Mapping[str, object]) -> str | None:
    """What is wrong with the set, before anything is written."""
    for path, text in files.items():
        if not Path(path).is_absolute():
            return f"files names {path!r}; give an absolute path."
        if not isinstance(text, str):
            return f"files gives {path} the value {text!r}; give a text."
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"files gives {path} a text that UTF-8 cannot hold: {error}."
    return None


def read(path: Path) -> str | None:
    """The file's text; None when there is none. What is no text compares unlike any."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def strangers(files: t.Iterable[Path], folders: t.Iterable[Path]) -> list[Path]:
    """What lies in the folders and neither belongs to the files nor leads to them, the deepest first."""
    wanted = {path for file in files for path in (file, *file.parents)}
    return sorted({path for folder in folders for path in folder.rglob("*")} - wanted, reverse=True)


def plan(texts: t.Mapping[Path, str | None], files: t.Mapping[Path, str]) -> dict[Path, str]:
    """What is to change, each path with its text as it is; what has no text among the files goes."""
    return {path: text or "" for path, text in texts.items() if text != files.get(path)}


def write(module: AnsibleModule, path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Beside its target, so that the file appears there whole; readable by nobody else until it has its mode.
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    module.atomic_move(name, str(path))


def run(module: AnsibleModule) -> dict[str, t.Any]:
    files = {Path(path): text for path, text in module.params["files"].items()}
    folders = [Path(folder) for folder in module.params["folders"]]
    texts = {path: read(path) for path in files}
    removed = strangers(files, folders)
    texts |= {path: read(path) for path in removed if not path.is_dir()}
    before = plan(texts, files)
    missing = [folder for folder in folders if not folder.is_dir()]

    if not module.check_mode:
        for path in before.keys() & files.keys():
            write(module, path, files[path])
        for path in removed:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for folder in missing:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    written = [
        str(path)
        for path in files
        if module.set_fs_attributes_if_different(
            module.load_file_common_arguments(module.params, str(path)), path in before
        )
    ]
    return {
        "changed": bool(written or removed or missing),
        "written": written,
        "removed": [str(path) for path in removed],
        "former": {str(path): text for path, text in texts.items() if text is not None},
        "diff": [
            {"before_header": str(path), "after_header": str(path), "before": text, "after": files.get(path, "")}
            for path, text in before.items()
        ],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "dict", "required": True},
            "folders": {"type": "list", "elements": "path", "default": []},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    if wrong := complaint(module.params["files"]):
        module.fail_json(msg=wrong)
    try:
        result = run(module)
    except OSError as error:
        module.fail_json(msg=f"Failed to write the set of files: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
