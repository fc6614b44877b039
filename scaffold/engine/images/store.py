"""The images and containers of one build, in its folder."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaffold.engine.images.tree import Tree


@dataclass(frozen=True)
class Image:
    """An image with a tag.

    Attributes:
        root: Its file system.
        config: Its configuration.
    """

    root: str
    config: dict[str, Any]


class Store:
    """Images by tag, containers by name.

    Args:
        folder: The folder of the build's `docker`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logins = folder / "logins.json"

    def sign_in(self, registry: str, user: str, password: str) -> None:
        """Keep an authorization token for a registry."""
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._logins.write_text(json.dumps(self.tokens() | {registry: token}))

    def tokens(self) -> dict[str, str]:
        """The authorization tokens by registry."""
        found: dict[str, str] = json.loads(self._logins.read_text()) if self._logins.exists() else {}
        return found

    def new_folder(self) -> Path:
        """A folder for the stages of a build of an image."""
        stages = self.folder / "stages"
        stages.mkdir(exist_ok=True)
        folder = stages / str(len(list(stages.iterdir())))
        folder.mkdir()
        return folder

    def tag(self, name: str, tree: Tree, config: dict[str, Any]) -> None:
        """Give an image a tag."""
        path = self._image(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asdict(Image(str(tree.root), config))))

    def image(self, name: str) -> Image | None:
        """The image of a tag."""
        path = self._image(name)
        return Image(**json.loads(path.read_text())) if path.exists() else None

    def container(self, name: str) -> Path:
        """The folder of a container, which need not exist."""
        return self.folder / "containers" / hashlib.sha256(name.encode()).hexdigest()

    def create(self, name: str, image: Image) -> Path:
        """Create a container with a copy of an image's files."""
        container = self.container(name)
        shutil.copytree(image.root, container / "root", symlinks=True, copy_function=_copy_or_share)
        (container / "home").mkdir()
        return container

    def _image(self, name: str) -> Path:
        tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
        return self.folder / "images" / f"{hashlib.sha256(tagged.encode()).hexdigest()}.json"


def _copy_or_share(source: str, target: str) -> None:
    """Copy a file; those of installed packages are many, and nothing writes into them."""
    if "/node_modules/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)
