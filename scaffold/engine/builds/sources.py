"""Fetches the source of a build."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.engine.builds.files import unpack
from scaffold.engine.builds.surroundings import Surroundings


class NoSource(Exception):
    """The source cannot be fetched; the phase DOWNLOAD_SOURCE fails."""


def fetch(
    source: Mapping[str, Any], version: str, region: str, surroundings: Surroundings, folder: Path, home: Path
) -> str:
    """Put a source into a folder.

    Args:
        source: In the form of CodeBuild's API.
        version: The commit, branch, tag or object version; empty for the newest.
        home: The home directory of Git.

    Returns:
        The resolved version: the commit, or the object's version.

    Raises:
        NoSource: It cannot be fetched.
    """
    folder.mkdir(parents=True)
    kind = source.get("type", "NO_SOURCE")
    if kind == "S3":
        return _from_bucket(source["location"], version, region, surroundings, folder)
    if kind == "CODECOMMIT":
        return _from_repository(source["location"], version, region, surroundings, folder, home)
    return ""


def _from_bucket(location: str, version: str, region: str, surroundings: Surroundings, folder: Path) -> str:
    bucket, _, key = location.removeprefix("arn:aws:s3:::").partition("/")
    given = {"VersionId": version} if version else {}
    try:
        found = surroundings.client("s3", region).get_object(Bucket=bucket, Key=key, **given)
        unpack(found["Body"].read(), folder)
    except (ClientError, BotoCoreError) as error:
        raise NoSource(f"error while downloading {location}: {error}") from error
    except zipfile.BadZipFile as error:
        raise NoSource(f"{location} is no ZIP archive: {error}") from error
    identifier = str(found.get("VersionId", ""))
    return "" if identifier == "null" else identifier


def _from_repository(
    location: str, version: str, region: str, surroundings: Surroundings, folder: Path, home: Path
) -> str:
    name = location.rstrip("/").rpartition("/")[2].removesuffix(".git")
    environment = {**surroundings.variables, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoSource(f"git {words[0]} {name}: {done.stderr.strip()}")
        return done.stdout.strip()

    git("clone", "--quiet", "--template=", f"codecommit::{region}://{name}", ".")
    if version:
        git("checkout", "--quiet", version.removeprefix("refs/heads/"))
    return git("rev-parse", "HEAD")
