"""Differences of commits, as CodeCommit lists them, and pushes of references."""

from __future__ import annotations

from typing import Any

from ..git import Repository
from ..registry import probe
from ..roles import Caller, allow
from ..sandbox import Sandbox
from ..verdicts import Unavailable, Undecided, Verdict, decided


def _differences(sandbox: Sandbox, repository: Repository, before: str, after: str) -> list[dict[str, Any]]:
    pages = (
        sandbox.client("codecommit")
        .get_paginator("get_differences")
        .paginate(repositoryName=repository.name, beforeCommitSpecifier=before, afterCommitSpecifier=after)
    )
    return [one for page in pages for one in page["differences"]]


def _paths(differences: list[dict[str, Any]]) -> set[str]:
    return {one[side]["path"] for one in differences for side in ("beforeBlob", "afterBlob") if side in one}


@probe("name-like-commit")
def name_like_commit(sandbox: Sandbox) -> Verdict:
    """A tag and a branch that have the id of the first commit as their name, and lead to the second one."""
    repository = Repository.create(sandbox, "names")
    first = repository.commit("First", a__txt="a\n")
    second = repository.commit("Second", b__txt="b\n")
    repository.push()
    expected = _paths(_differences(sandbox, repository, first, second))
    if expected != {"b.txt"}:
        raise Undecided(f"the differences of the two commits are {sorted(expected)}")
    evidence, holds = [], True
    for kind in ("tags", "heads"):
        try:
            repository.push(f"{second}:refs/{kind}/{first}")
        except Unavailable as refusal:
            # Git's words for a refusal of the reference itself; a missing permission is a refusal of another kind.
            if "remote rejected" not in str(refusal) or "permission" in str(refusal).lower():
                raise
            evidence.append(f"refs/{kind}/ID was refused ({refusal})")
            continue
        found = _paths(_differences(sandbox, repository, first, second))
        evidence.append(f"with refs/{kind}/ID the differences are {sorted(found)}")
        holds = holds and found == expected
    return decided(holds, "; ".join(evidence))


@probe("differences-of-modes")
def differences_of_modes(sandbox: Sandbox) -> Verdict:
    """A file that became executable, a folder that became a link, and one that became a submodule."""
    repository = Repository.create(sandbox, "modes")
    for folder in ("linked", "module"):
        (repository.folder / folder).mkdir()
        (repository.folder / folder / "file.txt").write_text(f"{folder}\n", "utf-8")
    before = repository.commit("Before", script__sh="exit\n")
    (repository.folder / "script.sh").chmod(0o755)
    repository.git("rm", "-r", "--quiet", "linked", "module")
    (repository.folder / "linked").symlink_to("elsewhere")
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{before},module")
    repository.git("commit", "--quiet", "--message", "After")
    after = repository.git("rev-parse", "HEAD")
    repository.push()
    differences = _differences(sandbox, repository, before, after)
    modes = {
        one["afterBlob"]["path"]: (one["beforeBlob"]["mode"], one["afterBlob"]["mode"])
        for one in differences
        if "beforeBlob" in one and "afterBlob" in one
    }
    paths = _paths(differences)
    missing = {"script.sh", "linked/file.txt", "module/file.txt"} - paths
    evidence = f"the paths are {sorted(paths)}, the modes {modes}"
    return decided(not missing and "script.sh" in modes, evidence)


@probe("references-of-push")
def references_of_push(sandbox: Sandbox) -> Verdict:
    """Pushes of a role that may push tags beginning with v: such a tag, another one, a branch, and two at once."""
    repository = Repository.create(sandbox, "pushes")
    commit = repository.commit("First", a__txt="a\n")
    repository.push()
    arn = sandbox.arn("codecommit", repository.name)
    tags = {"codecommit:References": "refs/tags/v*"}
    caller = Caller.with_permissions(
        sandbox,
        "pushes",
        allow("codecommit:GetRepository", "codecommit:GitPull", resource=arn),
        allow("codecommit:GitPush", resource=arn, StringLikeIfExists=tags),
        {
            "Effect": "Deny",
            "Action": "codecommit:GitPush",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringNotLike": tags},
        },
    )
    caller.must(lambda: caller.client("codecommit").get_repository(repositoryName=repository.name))
    role, evidence, allowed = repository.as_role(caller.account), [], []
    for references in (("tags/v1",), ("tags/latest",), ("heads/other",), ("tags/v2", "heads/another")):
        try:
            role.push(*(f"{commit}:refs/{one}" for one in references))
            allowed.append(references)
        except Unavailable as refusal:
            evidence.append(f"{' and '.join(references)}: {refusal}")
    evidence.append(f"pushed: {', '.join(' and '.join(one) for one in allowed) or 'nothing'}")
    return decided(allowed == [("tags/v1",)], "; ".join(evidence))
