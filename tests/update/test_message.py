"""`copier update` ends with a message if something has to follow, and with none otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import copier
import pytest
from jinja2 import FileSystemLoader
from jinja2.sandbox import SandboxedEnvironment

from scaffold.core.git import git
from scaffold.kit.urls import only_here
from tests.kits import ROOT, commit_all, kit_repository

PUSH = "Have the update on main, and run `scaffold deploy` in place of the push."
STACKS = "keeps its stacks, which cost money, until `scaffold destroy --environment"
STEP = "`copier update` leaves out what a merge of text cannot express:"


def call(macro: str, **context: object) -> str:
    """What a macro of includes/recorded.jinja gives."""
    extensions = ["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(ROOT), extensions=extensions, trim_blocks=True, lstrip_blocks=True
    )
    text = f"{{% from 'includes/recorded.jinja' import {macro.partition('(')[0]} %}}{{{{ {macro} }}}}"
    return environment.from_string(text).render(context)


@pytest.mark.parametrize(
    "source",
    [
        *("/srv/kit", "~/kit", "./kit", "kit", "../kit.git", "/srv/a:b", "~/.local/share/gitops-scaffold/kit"),
        *("https://git.acme.example/kit.git", "git@acme.example:kit", "git+codecommit::eu-west-1://kit", "gh:acme/kit"),
        *("git+file:///srv/kit", "git+ssh://git@acme.example/kit", "ann@acme.example:kit"),
    ],
)
def test_a_kit_that_no_other_machine_has_is_told(source: str) -> None:
    """`copier copy` says it of the same addresses as `scaffold new`."""
    said = call("only_here(source, 'x')", source=source)
    assert (f"The kit {source} exists on this machine only" in said) == only_here(source)


@pytest.mark.parametrize("place", ["service", "a [service]", "link", "none"])
def test_the_answers_file_is_read_where_copier_may(tmp_path: Path, place: str) -> None:
    """Copier stops at a file that is behind a link, and warns where there is none."""

    class Data(dict[str, object]):
        def __missing__(self, key: str) -> object:
            raise AssertionError(key)

    service = tmp_path / place
    if place == "link":
        (tmp_path / "real").mkdir()
        service.symlink_to("real")
    elif place != "none":
        service.mkdir()
    if place != "none":
        (service / ".copier-answers.yml").write_text("a: b\n")
    readable = place not in ("link", "none")
    data = Data({"recorded": {"_commit": "v1.0.0", "environments": "dev,live"}} if readable else {})
    conf = {"dst_path": service, "answers_file": ".copier-answers.yml"}
    found = json.loads(call("found(conf, data, 'v2.0.0')", conf=conf, data=data))
    assert (found["version"], found["environments"]) == (("v1.0.0", "dev,live") if readable else ("", ""))


@pytest.mark.slow
def test_it_says_what_has_to_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(**data: str) -> str:
        """What Copier writes after the version that it updates to."""
        capsys.readouterr()
        copier.run_update(service, data=data, defaults=True, overwrite=True)
        return capsys.readouterr().err.partition("\n")[2].strip()

    kit = Path(shutil.copytree(kit_repository(), tmp_path / "a [kit]"))
    service = tmp_path / "a [service]"
    copier.run_copy(str(kit), service, data={"app_name": "orders-api"}, defaults=True)
    assert f"The kit {kit} exists on this machine only" in capsys.readouterr().err
    commit_all(service)
    assert said(cpu="512") == ""
    commit_all(service)

    words = said(environments="dev,qa,prod")
    assert words.splitlines() == [f"New: qa. {PUSH}", f"staging {STACKS} staging` deletes them."]
    git("stash", "-q", "-u", cwd=service)
    words = said(production="staging")
    assert words == "Production is staging instead of prod: run `scaffold deploy` after the merge."
    git("stash", "-q", "-u", cwd=service)
    assert said(customize="true", health_path="/healthz").startswith(
        "The load balancer asks the running tasks for /healthz before the new"
    )
    git("stash", "-q", "-u", cwd=service)

    # An older version than that of the steps, and one of the files that they rename.
    (service / "config" / "buildspecs" / "smoke-test.yml").write_text("ours\n")
    commit_all(service)
    (kit / "NEWS.md").write_text("new\n")
    commit_all(kit, tag="v0.3.0")
    words = said()
    follows = "`scaffold deploy --plan` says after the merge whether `scaffold deploy` has to follow."
    assert words.startswith(f"{STEP}\n- The smoke test is ")
    assert "Scanners took" not in words
    assert words.endswith(f"run `scaffold update`, which takes these steps too.\n{follows}")
    commit_all(service)
    (kit / "NEWS.md").write_text("newer\n")
    commit_all(kit, tag="v0.4.0")
    assert said() == follows
