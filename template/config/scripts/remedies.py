"""The remedies of what stops a release."""

from __future__ import annotations

import os


def again() -> str:
    """How to repeat a stage that has failed: after its rollback, CodePipeline has nothing left to retry."""
    return "release again" if os.environ.get("ON_FAILURE") == "ROLLBACK" else "retry the stage"


def start_command(pipeline: str) -> str:
    """The command that releases the newest commit again, with a new plan."""
    region = os.environ.get("AWS_REGION")
    return f"aws codepipeline start-pipeline-execution --name {pipeline}" + (f" --region {region}" if region else "")


def retry_or_release(pipeline: str, environment: str) -> str:
    """The command that repeats the stage of an environment once the cause of its failure is gone."""
    if os.environ.get("ON_FAILURE") == "ROLLBACK":
        return f"release again with `{start_command(pipeline)}`"
    # The check of another stage of the environment says which.
    stage = os.environ.get("STAGE") or environment[:1].upper() + environment[1:]
    return f"run `scaffold retry {stage}`"
