"""What `scaffold destroy` says about termination protection is what has to be typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.service.service import read
from tests.deploy.services import environment_stack, foundation_stack, make_service, protected_stacks, remove, run
from tests.destroy.test_destroy import traces


def lift_as_told(service: Path, **options: str) -> None:
    """Type the command of the refusal into a shell, as it is."""
    with pytest.raises(ScaffoldError, match="Nothing was deleted: termination protection is on for") as refused:
        remove(service, lift=False, **options)
    lift, again = re.findall("`([^`]*)`", refused.value.remedy)
    assert again == " ".join(["scaffold destroy", *(f"--{name} {value}" for name, value in options.items())])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-euc", lift], env={**os.environ, "PATH": path}, timeout=300, check=True)


@pytest.mark.slow
def test_the_command_of_the_refusal_lifts_the_protection_of_all_stacks(tmp_path: Path, aws: None) -> None:
    service = make_service(tmp_path / "service", environments="dev,prod")
    app = read(service).app_name
    run(service)
    once = {foundation_stack(app), f"{app}-permissions"}
    # They do not hinder the deletion of an environment, and keep their protection.
    remove(service, lift=False, environment="dev")
    lift_as_told(service, environment="prod")
    assert protected_stacks(app) == once
    remove(service, lift=False, environment="prod")
    run(service)
    assert protected_stacks(app) == once | {environment_stack(app, "prod", "deploy-role")}
    lift_as_told(service)
    remove(service, lift=False)
    assert traces(app) == []
