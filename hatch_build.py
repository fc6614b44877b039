"""Build hook: the wheel and the source distribution carry the kit's history as a Git bundle."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = Path("scaffold", "_kit", "kit.bundle")


class KitBundleHook(BuildHookInterface):
    """Adds the bundle to what is built. An editable install reads the checkout instead."""

    _workspace: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the bundle, unless this is an unpacked source distribution, which has it.

        Args:
            version: The kind of build: standard or editable.
            build_data: What hatchling is told about it.
        """
        root = Path(self.root)
        if version == "editable" or ((root / CARRIED).is_file() and not (root / ".git").exists()):
            return
        sys.path.insert(0, str(root))
        from scaffold.kit.history import write_bundle

        self._workspace = tempfile.TemporaryDirectory(prefix="gitops-scaffold-build-")  # gone with us at the latest
        bundle = Path(self._workspace.name, CARRIED.name)
        write_bundle(root, self.metadata.version, bundle, bundle.parent)
        build_data["force_include"][str(bundle)] = CARRIED.as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what `initialize` left.

        Args:
            version: The kind of build.
            build_data: What hatchling was told about it.
            artifact_path: What was built.
        """
        if self._workspace:
            self._workspace.cleanup()
