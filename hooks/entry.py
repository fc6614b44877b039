"""The cookiecutter entry point: pass the answers to Copier, which renders the template for every entry point.

This runs in cookiecutter's Python, which may have nothing but cookiecutter installed: only the standard
library and PyYAML, which cookiecutter depends on, are imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))

import consent

# Git exports these to its hooks and aliases; inherited, they point Git to another repository.
REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
# Override the user's global Git configuration in the first commit. scaffold/core/git.py has both constants too.
ISOLATED = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", f"core.excludesFile={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}"),
    *("-c", "core.autocrlf=false"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "commit.gpgsign=false"),
    *("-c", "user.useConfigOnly=true"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
FALLBACK = {"NAME": "gitops-scaffold", "EMAIL": "gitops-scaffold@localhost"}
NOT_QUESTIONS = {"deploy", "extra"}
ONLY_HERE = (
    "The kit {} exists on this machine only, so the service can be updated nowhere else. Push it to a Git repository, "
    "and set `_src_path` in .copier-answers.yml to the URL of that repository."
)
PLACEHOLDER = "NOT-GENERATED.md"
Context = dict[str, Any]


class Refused(Exception):
    """A problem that the user can fix."""

    def __init__(self, happened: str, remedy: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.remedy = remedy


def run(step: Callable[[Context, Path], None], context: Context, kit: Path) -> int:
    """Do one step and return the hook's exit code; anything but 0 makes cookiecutter remove the folder."""
    before, created = committed(Path.cwd()), {path.name for path in Path.cwd().iterdir()} <= {PLACEHOLDER}
    try:
        step(context, kit)
    except Refused as error:
        Path(PLACEHOLDER).unlink(missing_ok=True)
        print(f"Error: {error.happened}\n  {error.remedy}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        if committed(Path.cwd()) and not before:  # 0 makes cookiecutter keep it if the signal reached only this process
            print("Interrupted; the service itself is complete.", file=sys.stderr)
            return 0
        if created:  # cookiecutter removes nothing when it is interrupted
            folder = Path.cwd()
            os.chdir(folder.parent)
            shutil.rmtree(folder, ignore_errors=True)
        print("Interrupted: nothing was generated.", file=sys.stderr)
        return 130
    return 0


def check(context: Context, kit: Path) -> None:
    """Check, before anything is generated, that the tools exist, the kit is usable and the answers are valid."""
    if not shutil.which("git"):
        raise Refused("Git is not installed, or not on the PATH.", "Install Git, then run the same command again.")
    with tempfile.TemporaryDirectory() as folder:
        copy(context, kit, Path(folder) / "service", "--pretend", "--exclude", "*")


def generate(context: Context, kit: Path) -> None:
    """Render the service, commit it, and deploy it on request."""
    service = Path.cwd()
    Path(PLACEHOLDER).unlink(missing_ok=True)
    copy(context, kit, service, "--overwrite")
    if "_output_dir" not in context:
        return  # cruft compares services in temporary folders: neither commit nor deploy those
    if not Path(".git").exists():
        first_commit(context, service)
    kit_address, _ = origin(context, kit)
    if Path(kit_address).exists():
        print(f"Warning: {ONLY_HERE.format(kit_address)}", file=sys.stderr, flush=True)
    source = consent.withheld() if context.get("deploy") else ""
    if context.get("deploy") and not source:
        deploy(context, kit, service)
    elif source:
        print(f"Not deployed, since only {source} asks for it. To deploy it: {again(service)}", flush=True)
    else:
        print(f"{service.name} is generated and committed. To deploy it: {again(service)}", flush=True)


def copy(context: Context, kit: Path, destination: Path, *options: str) -> None:
    """Run `copier copy` at the very commit that cookiecutter checked out."""
    source, commit = origin(context, kit)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "answers.yml"
        data.write_text(yaml.safe_dump(answers(context, kit)), "utf-8")
        arguments = ["copy", "--defaults", "--quiet", "--vcs-ref", commit, "--data-file", str(data), *options]
        done = quietly([*copier(kit), *arguments, source, str(destination)])
    if done.returncode:
        raise Refused(reason(done.stderr), "Run cookiecutter again with another answer; nothing was generated.")


def answers(context: Context, kit: Path) -> Context:
    """The answers by question: those that cookiecutter prompted for, and those in `extra`."""
    configuration = yaml.safe_load((kit / "copier.yml").read_text("utf-8"))
    questions = {
        name
        for name, details in configuration.items()
        if not name.startswith("_") and not (isinstance(details, dict) and details.get("when") is False)
    }
    asked = {name: value for name, value in context.items() if not name.startswith("_") and name not in NOT_QUESTIONS}
    extra = context.get("extra") or {}
    example = "for example {architecture: arm64, log_retention_days: 90}"
    if isinstance(extra, str):
        try:
            extra = yaml.safe_load(extra) or {}
        except yaml.YAMLError as error:
            raise Refused(
                "extra is not valid YAML.", f"Give a mapping from questions to answers, {example}."
            ) from error
    if not isinstance(extra, dict):
        raise Refused("extra is not a YAML mapping.", f"Give a mapping from questions to answers, {example}.")
    for name in extra:
        if name in asked:
            raise Refused(f"{name} is answered by itself and in extra.", f"Leave {name} out of extra.")
        if name not in questions:
            more = ", ".join(sorted(questions - set(asked)))
            raise Refused(
                f"extra answers {name}, which is not a question.", f"The other questions are {more}; {example}."
            )
    return {**asked, **extra}


def origin(context: Context, kit: Path) -> tuple[str, str]:
    """The address that Copier records and updates from, and the commit that is checked out here."""
    if git("rev-parse", "--show-prefix", cwd=kit) != "":
        raise Refused(
            f"The kit {context['_template']} is not a Git repository, so the service could never be updated.",
            "Name the kit's Git URL, or the folder of its clone.",
        )
    commit = git("rev-parse", "HEAD", cwd=kit) or ""
    template, checkout = str(context["_template"]), context.get("_repo_dir")
    if checkout is None:  # cruft: a temporary clone of an address that is already resolved
        return address(template), str(context.get("_commit") or commit)
    if checkout == template:  # a local folder, perhaps relative to the working directory
        if changes := git("-c", "core.quotePath=false", "status", "--porcelain", cwd=kit):
            file = changes.splitlines()[-1][3:]
            raise Refused(
                f"The kit {template} has uncommitted changes ({file}), which no update could find.",
                "Commit or stash them, then run cookiecutter again.",
            )
        return str(kit), commit
    # A clone that cookiecutter made: its origin is the full URL of an abbreviated template.
    return address(git("config", "--get", "remote.origin.url", cwd=kit) or template), commit


def address(url: str) -> str:
    """A Git address as Copier understands it."""
    known = ("git@", "git://", "git+", "https://github.com/", "https://gitlab.com/")
    remote = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|codecommit::|[\w.-]+@[\w.-]+:", url)
    return f"git+{url}" if remote and not url.startswith(known) and not url.endswith(".git") else url


def copier(kit: Path) -> list[str]:
    """The command that runs Copier: of this Python, on the PATH, or fetched by uvx."""
    least = yaml.safe_load((kit / "copier.yml").read_text("utf-8"))["_min_copier_version"]
    found = ""
    try:
        found = metadata.version("copier")
        if numbers(found) >= numbers(least):
            return [sys.executable, "-m", "copier"]
    except metadata.PackageNotFoundError:
        pass
    if path := shutil.which("copier"):
        found = quietly([path, "--version"]).stdout
        if numbers(found) >= numbers(least):
            return [path]
    if path := shutil.which("uvx"):
        return [path, "--quiet", "--from", f"copier>={least},<10", "copier"]
    problem = f"is too old ({found.split()[-1]})" if found.split() else "is not installed"
    raise Refused(
        f"Copier generates the service and {problem}: version {least} or later is needed.",
        "Install it with `pipx install copier` or `uv tool install copier`, then run cookiecutter again.",
    )


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison."""
    match = re.search(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def reason(stderr: str) -> str:
    """Copier's error message without its traceback."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    starts = [index for index, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception)\b.*: ", line)]
    text = " ".join(lines[starts[-1] :]) if starts else (lines[-1] if lines else "Copier gave no reason")
    text = re.sub(r"^[\w.]*(Error|Exception)\b.*?: ", "", text)
    text = re.sub(r"^Validation error for question '\w+': ", "", " ".join(text.split()))
    return f"{text.rstrip('.')}."


def first_commit(context: Context, service: Path) -> None:
    """Make the service a repository with one commit, independent of the user's Git configuration."""
    version = yaml.safe_load((service / ".copier-answers.yml").read_text("utf-8"))["_commit"]
    commit = ["commit", "--quiet", "--no-verify", "--no-gpg-sign"]
    commit += [f"--message=Generate {context['app_name']} from kit {version}"]
    for arguments in (
        ["init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main"],
        ["add", "--all"],
    ):
        done = quietly(["git", *ISOLATED, *arguments], cwd=service)
        if done.returncode:
            raise Refused(
                f"Git cannot make the service a repository: {done.stderr.strip()}", "Fix that, then try again."
            )
    if quietly(["git", *ISOLATED, *commit], cwd=service).returncode:
        done = quietly(["git", *ISOLATED, *commit], cwd=service, defaults=identity(service))
        if done.returncode:
            raise Refused(f"Git cannot commit the service: {done.stderr.strip()}", "Fix that, then try again.")


def committed(service: Path) -> bool:
    """Whether the service has its first commit."""
    return (service / ".git").exists() and git("rev-parse", "--verify", "--quiet", "HEAD", cwd=service) is not None


def identity(service: Path) -> dict[str, str]:
    """Author and committer from the Git configuration, with placeholders for missing values."""
    known = {key: git("config", "--get", f"user.{key.lower()}", cwd=service) or FALLBACK[key] for key in FALLBACK}
    return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in known.items()}


def deploy(context: Context, kit: Path, service: Path) -> None:
    """Deploy once. The service is complete already, so a failure is reported and nothing is undone."""
    public = {name: value for name, value in context.items() if not name.startswith("_")}
    known = hashlib.sha256(json.dumps([public, git("rev-parse", "HEAD", cwd=kit)], sort_keys=True).encode()).hexdigest()
    mark = Path(os.path.expanduser("~/.local/state/gitops-scaffold/cookiecutter")) / known  # noqa: PTH111
    if mark.exists():  # `cookiecutter --replay` repeats the earlier yes
        print(f"These answers were deployed before, so this copy is not. To deploy it: {again(service)}", flush=True)
        return
    command = [sys.executable, "-m", "scaffold"] if util.find_spec("scaffold") else [shutil.which("scaffold") or ""]
    if not command[0]:
        print(f"Not deployed: gitops-scaffold is not installed. Install it, then: {again(service)}", flush=True)
        return
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        print(f"A replay will deploy once more, since {mark} cannot be written: {error.strerror}.", flush=True)
    if subprocess.run([*command, "deploy"], cwd=service, check=False).returncode:
        print(f"Not deployed. The service itself is complete; to go on: {again(service)}", flush=True)


def again(service: Path) -> str:
    """The command that deploys later."""
    return f"cd {service.name} && scaffold deploy"


def quietly(
    command: list[str], *, cwd: Path | None = None, defaults: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output, without the variables that point Git to another repository."""
    environment = {name: value for name, value in os.environ.items() if name not in REPOSITORY_VARIABLES}
    environment = {**(defaults or {}), **environment}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=False)
    out, err = (said.decode("utf-8", "replace") for said in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, out, err)


def git(*arguments: str, cwd: Path) -> str | None:
    """The output of Git, or None if it fails."""
    done = quietly(["git", *arguments], cwd=cwd)
    return None if done.returncode else done.stdout.rstrip()
