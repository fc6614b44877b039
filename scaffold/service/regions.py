"""What botocore's data says about AWS regions: whether there is one, and which services it lacks."""

from __future__ import annotations

import json
import os
from configparser import Error, RawConfigParser
from contextlib import suppress
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What a service cannot be deployed without, as endpoints.json and as people call it.
_NEEDED = {
    "codebuild": "CodeBuild",
    "codecommit": "CodeCommit",
    "codepipeline": "CodePipeline",
    "ecs": "ECS",
}
_SIMILAR = 0.6


def problem(region: str) -> str:
    """Why there is no such region, with the one that may be meant; nothing if there is."""
    known = [name for one in _data("partitions.json") for name in one["regions"] if not name.endswith("-global")]
    if not known or region in known:
        return ""
    near = get_close_matches(region, known, 1, _SIMILAR)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"{region} is no region that the installed botocore knows{guess}"


def lacks(region: str) -> list[str]:
    """The services that a deployment needs and that botocore's data does not list in a region."""
    for partition in _data("endpoints.json"):
        if region in partition["regions"]:
            services = partition["services"]
            # A service without any endpoints is one that the data does not describe.
            listed = {name: services.get(name, {}).get("endpoints", {}) for name in _NEEDED}
            return [title for name, title in _NEEDED.items() if listed[name] and region not in listed[name]]
    return []


def configured() -> tuple[str, str] | None:
    """The region of the user's environment variables or AWS profile, and where it comes from."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region := os.environ.get(variable):
            return region, variable
    profile = os.environ.get("AWS_PROFILE") or "default"
    section = "default" if profile == "default" else f"profile {profile}"
    with suppress(OSError, Error, ValueError, RuntimeError):
        settings = RawConfigParser()
        path = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
        settings.read_string(path.read_text("utf-8"))
        if region := settings.get(section, "region", fallback=""):
            return region, f"the AWS profile {profile}"
    return None


def _data(file: str) -> list[dict[str, Any]]:
    """The partitions in one of botocore's files, read without the import of botocore, which takes longer."""
    found = find_spec("botocore")
    if found is None or found.origin is None:
        return []
    with suppress(OSError, ValueError):
        return list(json.loads((Path(found.origin).parent / "data" / file).read_text("utf-8"))["partitions"])
    return []
