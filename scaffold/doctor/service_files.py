"""A service's own files: its answers, the images of its Dockerfile, the kit that it comes from."""

from __future__ import annotations

import re
from pathlib import Path

from scaffold import __version__
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.doctor import registry
from scaffold.doctor.findings import Finding, failed, not_checked, ok, refused, warning
from scaffold.engine.images import dockerfile
from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.kit.rendering import UPGRADE
from scaffold.kit.seen import remember
from scaffold.kit.source import KitAddress, find_commit
from scaffold.kit.urls import is_remote
from scaffold.service.service import ANSWERS_FILE, Service
from scaffold.update import recorded
from scaffold.update.kits import is_embedded, number

# Arguments that Docker itself sets.
_OF_PLATFORM = re.compile(
    r"^\s*(?:FROM|ARG)\s.*\$\{?((?:TARGET|BUILD)(?:ARCH|OS|PLATFORM|VARIANT))", re.MULTILINE | re.IGNORECASE
)
_SEE = "See what an update would change with `scaffold update --plan`."


def base_images(service: Service) -> Finding:
    """Whether the registries have the images that app/Dockerfile names."""
    try:
        images = _images((service.root / "app/Dockerfile").read_text("utf-8"))
    except (OSError, ValueError, BuildFailed) as error:
        reason = getattr(error, "strerror", None) or error
        return failed(f"app/Dockerfile cannot be read: {reason}.", "Fix or restore it, and commit.")
    except (NeedsEngine, registry.Unknown) as error:
        return not_checked(f"{error} is not read here.", "Let a build show it: `make image`.")
    unknown: dict[str, str] = {}
    for image in images:
        try:
            if not registry.has(image):
                return failed(
                    f"The image {image} of app/Dockerfile does not exist.",
                    "Name one that exists in app/Dockerfile, and commit.",
                )
        except registry.Unknown as reason:
            unknown[image] = f"{image} {reason}."
    for image, sentence in unknown.items():
        return not_checked(sentence, f"Try `docker manifest inspect {image}`, after `docker login` if it is private.")
    return ok(f"Its registry has {', '.join(images)}." if images else "app/Dockerfile names no image of a registry.")


def _images(text: str) -> list[str]:
    """The images that a Dockerfile builds on or copies from, each once."""
    if depends := _OF_PLATFORM.search(text):
        raise registry.Unknown(f"An image that depends on {depends[1]}")
    parsed = dockerfile.parse(text, {})
    own, found = {"scratch"}, []
    for index, stage in enumerate(parsed.stages):
        copied = [one.flags["from"] for one in stage.instructions if one.keyword == "COPY" and "from" in one.flags]
        found += [image for image in (stage.base, *copied) if image.lower() not in own]
        own |= {stage.name.lower(), str(index)}
    return list(dict.fromkeys(found))


def kit_version(root: Path) -> Finding:
    """Whether the service has the newest version of its kit. Only kits on this machine are looked at."""
    try:
        record = recorded.read(root)
    except ScaffoldError as error:
        return refused(error)
    if is_embedded(record.source):
        own, newest = number(record.version), number(f"v{__version__}")
        if own is None or newest is None or own == newest:
            return ok(f"The service has version {record.version} of the kit, that of this package.")
        if own > newest:
            upgrade = f"The service has version {record.version} of the kit, and this package has v{__version__} only."
            return warning(upgrade, UPGRADE)
        return warning(f"The kit has version v{__version__}, and the service has {record.version}.", _SEE)
    if is_remote(record.source):
        return not_checked(f"The service has version {record.version} of the kit {record.source}.", _SEE)
    path = root / Path(record.source).expanduser()
    if not path.is_dir():
        return warning(
            f"The kit {record.source} does not exist on this machine, so that the service cannot be updated here.",
            f"Push it to a Git repository that the team can read, and set `_src_path` in {ANSWERS_FILE} to its URL.",
        )
    try:
        newest_commit = find_commit(path, KitAddress(record.source, str(path)))
        version = git("describe", "--tags", "--always", newest_commit, cwd=path)
    except (ScaffoldError, GitFailed) as error:
        return not_checked(f"The kit {record.source} cannot be read: {error}", _SEE)
    remember(record.source, version)
    if version == record.version:
        return ok(f"The service has version {version} of its kit, the newest one.")
    return warning(f"The kit has version {version}, and the service has {record.version}.", _SEE)
