"""Images that local AWS builds without a container engine."""

from __future__ import annotations

#: The label of such an image. Its value is the runtime of this machine that runs the application.
PROCESS_LABEL = "io.gitops-scaffold.process"
#: What a text says of a result with such an image.
WITHOUT_ENGINE = "without a container engine"
