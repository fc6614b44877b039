"""The `inspector-sbomgen` of builds: lists the packages of an image in the registry of local AWS.

inspector-sbomgen container --image IMAGE@DIGEST --outfile FILE --disable-progress-bar

It knows the packages that npm, dpkg and apk have installed, and the base image by its label. What AWS's program finds
beyond that, it does not.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.engine.images.registry import Repository

_HIDDEN, _OPAQUE = ".wh.", ".wh..wh..opq"
_NPM = re.compile(r"(?:^|/)node_modules/(?:@[^/]+/)?[^/]+/package\.json")
_DPKG = re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]+)")
_APK = "lib/apk/db/installed"
_BASE_NAME, _BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"

Document = dict[str, Any]


def make(repository: Repository, reference: str) -> Document:
    """The SBOM of an image, in CycloneDX 1.5."""
    manifest = json.loads(repository.get(f"/manifests/{reference}"))
    config = json.loads(repository.get(f"/blobs/{manifest['config']['digest']}"))
    files: dict[str, bytes] = {}
    for layer in manifest["layers"]:
        _apply(files, repository.get(f"/blobs/{layer['digest']}"))
    found = [*_base(config.get("config", {}).get("Labels") or {}), *_packages(files)]
    components = {json.dumps(one, sort_keys=True): one for one in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "tools": [{"vendor": "gitops-scaffold", "name": "local AWS, in place of inspector-sbomgen"}],
            "component": {"bom-ref": "image", "type": "container", "name": reference},
        },
        "components": [{"bom-ref": f"comp-{number}", **one} for number, one in enumerate(components.values(), start=1)],
    }


def _apply(files: dict[str, bytes], layer: bytes) -> None:
    """Add the files of a layer that list packages, and remove what it hides."""
    with tarfile.open(fileobj=BytesIO(layer)) as archive:
        for member in archive:
            path = member.name.removeprefix("./").lstrip("/")
            folder, _, name = path.rpartition("/")
            if name.startswith(_HIDDEN):
                hidden = folder if name == _OPAQUE else f"{folder}/{name.removeprefix(_HIDDEN)}".lstrip("/")
                for one in [one for one in files if one == hidden or one.startswith(f"{hidden}/")]:
                    del files[one]
            elif member.isfile() and (_NPM.search(path) or _DPKG.fullmatch(path) or path == _APK):
                content = archive.extractfile(member)
                files[path] = content.read() if content else b""


def _base(labels: Document) -> Iterator[Document]:
    if name := labels.get(_BASE_NAME):
        yield {"type": "container", "name": name, "version": labels.get(_BASE_DIGEST, "")}


def _packages(files: dict[str, bytes]) -> Iterator[Document]:
    for path, content in sorted(files.items()):
        text = content.decode("utf-8", "replace")
        if _NPM.search(path):
            yield from _of_npm(text)
        elif path == _APK:
            yield from (_package("apk/alpine", one["P"], one["V"]) for one in _stanzas(text) if {"P", "V"} <= set(one))
        else:
            installed = (one for one in _stanzas(text) if "deinstall" not in one.get("Status", ""))
            yield from (
                _package("deb/debian", one["Package"], one["Version"])
                for one in installed
                if {"Package", "Version"} <= set(one)
            )


def _of_npm(text: str) -> Iterator[Document]:
    try:
        package = json.loads(text)
    except ValueError:
        return
    if isinstance(package, dict) and package.get("name") and package.get("version"):
        yield _package("npm", str(package["name"]), str(package["version"]))


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """Paragraphs of lines with a name, a colon and a value."""
    for paragraph in re.split(r"\n{2,}", text):
        yield dict(_fields(paragraph.splitlines()))


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, sign, value = line.partition(":")
        if sign and not name.startswith((" ", "\t")):
            yield name, value.strip()


def _package(kind: str, name: str, version: str) -> Document:
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:{kind}/{quote(name, safe='/')}@{quote(version)}",
    }


def main() -> int:
    """Run the command line of this process, whose first word is the folder of the build's `docker`."""
    folder, *words = sys.argv[1:]
    settings = json.loads(Path(folder, "settings.json").read_text())
    parser = argparse.ArgumentParser(prog="inspector-sbomgen", exit_on_error=False)
    parser.add_argument("command", choices=["container"])
    parser.add_argument("--image", required=True)
    parser.add_argument("--outfile", "-o", type=Path, required=True)
    parser.add_argument("--disable-progress-bar", action="store_true")
    try:
        options = parser.parse_args(words)
        name, _, digest = options.image.partition("@")
        if not digest:
            raise BuildFailed(f"local AWS knows {name} by its digest only")
        user, password = (os.environ.get(f"INSPECTOR_SBOMGEN_{one}", "") for one in ("USERNAME", "PASSWORD"))
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        sbom = make(Repository(settings["endpoint"], name, {name.partition("/")[0]: token}), digest)
    except (BuildFailed, NeedsEngine, argparse.ArgumentError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    options.outfile.write_text(json.dumps(sbom, indent=2))
    return 0
