"""A small kit in two versions, a service of the first one, and `scaffold update` inside the test's process."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import copier

from scaffold.commands import update
from scaffold.commands.update import UpdateOptions
from scaffold.console.console import Console
from scaffold.core.git import git
from scaffold.update.result import UpdateResult
from tests.kits import IDENTITY, commit_all

QUESTIONS = """
_subdirectory: template
_templates_suffix: .jinja
app_name: {type: str, default: orders-api}
colour:
  type: str
  default: blue
  choices: [blue, green, red]
environments:
  type: str
  default: dev,prod
size:
  type: int
  default: 5
  validator: >-
    {% set recorded = size == _copier_answers.size and 'size' not in _copier_conf.data %}
    {% if size > 9 and not recorded %}size is at most 9{% endif %}
"""
LINES = [f"line {number} of the kit\n" for number in range(1, 41)]


def write_kit(folder: Path) -> None:
    """The files of version 1."""
    template = folder / "template"
    (template / "app").mkdir(parents=True)
    (template / "infrastructure").mkdir()
    (folder / "copier.yml").write_text(QUESTIONS)
    (template / "{{ _copier_conf.answers_file }}.jinja").write_text("# Generated\n{{ _copier_answers | to_nice_yaml }}")
    (template / "README.md.jinja").write_text("# {{ app_name }}\n\nIt is {{ colour }}.\n" + "".join(LINES))
    for name in ("changed.txt", "unchanged.txt", "deleted.txt"):
        (template / "app" / name).write_text(name + "\n" + "".join(LINES))
    (template / "app" / "latin.txt").write_bytes("Zürich\n".encode("latin-1") + "".join(LINES).encode())
    (template / "app" / "picture.bin").write_bytes(bytes(range(256)) * 4)
    (template / "app" / "run.sh").write_text("#!/bin/sh\n" + "".join(LINES))
    (template / "app" / "run.sh").chmod(0o755)
    (template / "infrastructure" / "foundation.yaml").write_text("# foundation\n" + "".join(LINES))
    name = "{% yield env from environments.split(',') %}{{ env }}{% endyield %}"
    (template / "infrastructure" / name).mkdir()
    (template / "infrastructure" / name / "service.json.jinja").write_text('{"env": "{{ env }}"}\n' + "".join(LINES))


def write_second_version(folder: Path) -> None:
    """The changes of version 2: line 20 of most files, a new file, a deleted one."""
    template = folder / "template"
    for path in [template / "README.md.jinja", *(template / "app").iterdir()]:
        if path.name not in ("unchanged.txt", "picture.bin"):
            path.write_bytes(path.read_bytes().replace(b"line 20 of the kit", b"line 20 of version 2"))
    (template / "app" / "picture.bin").write_bytes(bytes(range(255, -1, -1)) * 4)
    (template / "app" / "deleted.txt").unlink()
    (template / "app" / "new.txt").write_text("new\n")
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## [2.0.0]\n\n- Line 20.\n\n## [1.0.0]\n\n- First.\n")


@functools.cache
def generated() -> tuple[Path, Path]:
    """A kit with the tags v1.0.0 and v2.0.0, and a committed service of v1.0.0; one for each test process."""
    folder = Path(tempfile.mkdtemp(prefix="small-kit-"))
    kit, service = folder / "kit", folder / "service"
    write_kit(kit)
    commit_all(kit, tag="v1.0.0")
    copier.run_copy(str(kit), service, defaults=True, quiet=True)
    commit_all(service)
    write_second_version(kit)
    commit_all(kit, tag="v2.0.0")
    return kit, service


def new_service(folder: Path) -> Path:
    """A copy of that service."""
    return Path(shutil.copytree(generated()[1], folder / "service", symlinks=True))


def commit(service: Path, message: str = "ours") -> str:
    """Commit everything, byte for byte."""
    git("-c", "core.autocrlf=false", "add", "--all", "--force", cwd=service)
    git("commit", "--quiet", "--allow-empty", "-m", message, cwd=service, env=IDENTITY)
    return git("rev-parse", "HEAD", cwd=service)


def run_update(service: Path, **options: Any) -> UpdateResult:
    """Run the command without a process of its own."""
    return update.run(UpdateOptions(service, **options), Console())


def actions(result: UpdateResult) -> dict[str, str]:
    """What happens to each file."""
    return {file.path: file.action for file in result.files}


def status(service: Path) -> list[str]:
    """What `git status` says."""
    return git("status", "--porcelain", "--untracked-files=all", cwd=service).splitlines()
