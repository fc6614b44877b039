"""Local AWS in a fork of the process that imported this module."""

from __future__ import annotations

import functools
import gc
import os
import sys
import tempfile

from ministack.core import responses

from scaffold.engine.models import MODELS
from scaffold.local import assembly as assembly
from scaffold.local import engine as engine
from scaffold.local import ministack_names, protocol, server
from tests.local_aws_snapshots import with_snapshots

# The API models that ministack, our own services and the engine read while a service is deployed and released.
for _name in ("cloudformation", "ecr", "iam", "kms", "logs", "s3", "sns", "sts"):
    responses._service_model(_name)
for _name in ("application-autoscaling", "codebuild", "codecommit", "codepipeline", "ecs", "service-quotas"):
    protocol.service_model(_name)
for _name in ("cloudformation", "codebuild", "codecommit", "ecr", "s3", "sts"):
    MODELS.load_service_model(_name, "service-2")
for _name in ("endpoints", "partitions", "sdk-default-configuration"):
    MODELS.load_data(_name)

# What ministack reads from the environment when it is imported, and each server has for itself.
_SETTINGS = {name: os.environ[name] for name in ("GATEWAY_PORT", "MINISTACK_REGION", "STATE_DIR")}


def main() -> None:
    """Run local AWS."""
    os.setsid()
    gc.set_threshold(50_000, 20, 20)  # as in the process of the tests
    tempfile.tempdir = None
    check = ministack_names.check

    def settle_and_check() -> None:  # The server calls it once it has chosen its port.
        _settle()
        check()

    ministack_names.check = settle_and_check
    assembly.assemble = with_snapshots(assembly.assemble)
    server.main()


def _settle() -> None:
    """Give ministack's modules the settings of this server."""
    settings = {imported: os.environ[name] for name, imported in _SETTINGS.items()}
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack."):
            for variable, value in list(vars(module).items()):
                if isinstance(value, str) and any(imported in value for imported in settings):
                    own = functools.reduce(lambda text, setting: text.replace(*setting), settings.items(), value)
                    setattr(module, variable, own)
