"""The programs of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from scaffold.aws.git_remote import INSTALL_HELPER, helper_hint, helper_path
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git, identity_commands, unset_identity
from scaffold.doctor.findings import Finding, failed, not_checked, ok, refused, warning
from scaffold.update.checks import check_git

_SECONDS = 10
_INSTALL_ENGINE = "Install Docker, or podman on Linux; `make image` needs Docker, and all of `scaffold` works without."
_NODE = "https://nodejs.org"


def git_version(folder: Path) -> Finding:
    """Git, new enough for all commands."""
    try:
        version = git("--version", cwd=folder).removeprefix("git version ")
    except ScaffoldError as error:
        return refused(error)
    try:
        check_git(folder)
    except ScaffoldError as error:
        return warning(error.happened, "Upgrade Git to 2.38 or later; `scaffold update` needs it.")
    return ok(f"Git {version}.")


def git_identity(folder: Path) -> Finding:
    """The author of commits."""
    if not shutil.which("git"):
        return not_checked("Git is not installed.", "Install Git.")
    unset = unset_identity(folder)
    if not unset:
        return ok("Git knows who commits.")
    commands = "; ".join(identity_commands(unset))
    what = f"{' and '.join(unset)} of Git {'is' if len(unset) == 1 else 'are'} not set"
    return failed(f"{what}, so that `git commit` may fail.", f"`{commands}`")


def remote_helper() -> Finding:
    """git-remote-codecommit, for deployments and for people."""
    found, hint = helper_path(), helper_hint()
    if found is None:
        return failed("git-remote-codecommit is not installed, so that nothing can be pushed.", f"`{INSTALL_HELPER}`")
    if hint:
        return warning("`scaffold` finds git-remote-codecommit; `git push` by hand does not.", f"`{INSTALL_HELPER}`")
    return ok("git-remote-codecommit is on the PATH.")


def container_engine() -> Finding:
    """Docker or podman. Nothing is started, and no storage is written."""
    docker, reason = shutil.which("docker"), "Neither Docker nor podman is installed."
    if docker:
        version, reason = _output(docker, "version", "--format", "{{.Server.Version}}")
        if version:
            return ok(f"Docker {version} answers.")
        reason = f"Docker does not answer: {reason}"
    podman = shutil.which("podman")
    if podman:
        version, why = _output(podman, "--version")
        if version:
            return ok(f"{version[:1].upper()}{version[1:]} is installed.")
        reason = f"podman does not run: {why}"
    fix = "Start Docker, and see what `docker version` says." if docker else _INSTALL_ENGINE
    return warning(reason, fix)


def node(app: Path | None) -> Finding:
    """Node and npm, for the tests of the application that the kit generates.

    Args:
        app: The folder of a service's application; None outside of a service.
    """
    needed = _needed_node(app) if app else 0
    if needed is None:
        return ok("The application has no package.json.")
    install = f"Install Node{f' {needed} or later' if needed else ''} with npm: {_NODE}"
    programs = {name: shutil.which(name) for name in ("node", "npm")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not on the PATH"
        return warning(f"{what}; `make test` of a service needs {'it' if len(missing) == 1 else 'them'}.", install)
    version, why = _output(str(programs["node"]), "--version")
    if not version:
        return warning(f"Node does not run: {why}", install)
    number = re.match(r"v?(\d+)", version)
    if needed and number and int(number[1]) < needed:
        return warning(f"Node {version.removeprefix('v')} is older than the application demands.", install)
    return ok(f"Node {version.removeprefix('v')}, with npm.")


def _needed_node(app: Path) -> int | None:
    """The version that an application demands; zero for any, None where it has nothing to do with Node."""
    try:
        package = json.loads((app / "package.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return 0
    engines = package.get("engines") if isinstance(package, dict) else None
    found = re.fullmatch(r">=\s*(\d+)[\d.]*", str(engines.get("node", ""))) if isinstance(engines, dict) else None
    return int(found[1]) if found else 0


def _output(*command: str) -> tuple[str, str]:
    """The first line that a program prints, or why it prints none."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=os.sep,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_SECONDS} seconds."
    except OSError as error:
        return "", f"{error.strerror or error}."
    said = done.stdout.strip().splitlines()
    if done.returncode or not said:
        reasons = done.stderr.strip().splitlines()
        return "", reasons[-1] if reasons else f"it ends with {done.returncode}."
    return said[0].strip(), ""
