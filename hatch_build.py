"""Build hook: the wheel and the source distribution carry the kit's history as a Git bundle.

The wheel carries the documentation, too: README, CHANGELOG, CONTRIBUTING and docs/ with the IAM policies.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("scaffold", "_kit", "kit.bundle")
DOCUMENTATION = Path("scaffold", "_docs")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")


class KitBundleHook(BuildHookInterface[BuilderConfig]):
    """Adds the bundle to what is built. An editable install reads the checkout instead."""

    _workspace: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the documentation, and write the bundle, unless this is an unpacked source distribution, which has it.

        Args:
            version: "standard" or "editable": the kind of build, not a number.
            build_data: Hatchling's build data; both are added to `force_include`.
        """
        root = Path(self.root)
        if version == "editable":
            return
        if self.target_name == "wheel":
            for page in [*(root / name for name in PAGES), *sorted((root / "docs").iterdir())]:
                build_data["force_include"][str(page)] = (DOCUMENTATION / page.relative_to(root)).as_posix()
        if (root / BUNDLE).is_file() and not (root / ".git").exists():
            return
        sys.path.insert(0, str(root))
        from scaffold.kit.history import write_bundle

        self._workspace = tempfile.TemporaryDirectory(prefix="gitops-scaffold-build-")
        bundle = Path(self._workspace.name, BUNDLE.name)
        write_bundle(root, self.metadata.version, bundle, bundle.parent)
        build_data["force_include"][str(bundle)] = BUNDLE.as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary files of `initialize`."""
        if self._workspace:
            self._workspace.cleanup()
