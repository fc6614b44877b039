"""What runs is compared with what was released on local AWS, and people get a message of what differs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3
import pytest

from scaffold.core.git import git
from scaffold.service import names, project_names
from tests.deploy.services import client, commit, unused_name
from tests.release.rehearsals import small_service
from tests.release.services import release
from tests.release.test_merge_gate import eventually
from tests.release.test_nightly_scan import control

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_a_changed_service_and_a_deleted_tag_reach_people(aws: None, tmp_path: Path) -> None:
    """The build has its own role only. The schedule is not waited for."""
    app = unused_name()
    service = small_service(tmp_path / "service", app_name=app, customize=True, approval="none")
    script = service / "config" / "scripts" / "drift.py"
    shorter = script.read_text().replace("PAUSE_SECONDS = 60", "PAUSE_SECONDS = 1")
    assert shorter != script.read_text()
    script.write_text(shorter)
    head = commit(service)
    assert release(service).exit_code == 0
    codebuild = boto3.Session(region_name="us-east-1").client("codebuild")

    def messages() -> list[str]:
        found = [one["message"] for one in control("messages")["messages"] if f":{app}-notifications" in one["topic"]]
        return [text for text in found if text.startswith(f"{app}:\n- live: ")]

    def log() -> str:
        events = client("logs").filter_log_events(logGroupName=f"/{app}/pipeline/drift")["events"]
        return "".join(one["message"] for one in events if "[Container]" not in one["message"])

    def compare() -> list[str]:
        """The messages of a comparison."""
        before = len(messages())
        build = codebuild.start_build(projectName=project_names.drift(app))["build"]["id"]

        def ended() -> str | None:
            (found,) = codebuild.batch_get_builds(ids=[build])["builds"]
            return str(found["buildStatus"]) if found["buildComplete"] else None

        assert eventually(ended) == "SUCCEEDED", log()
        return messages()[before:]

    assert compare() == []

    ecs, place = client("ecs"), {"cluster": names.cluster(app, "live"), "service": f"{app}-live"}
    (running,) = ecs.describe_services(cluster=place["cluster"], services=[place["service"]])["services"]
    given = ecs.describe_task_definition(taskDefinition=running["taskDefinition"])["taskDefinition"]
    same = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "requiresCompatibilities", "cpu", "memory")
    copied = {key: given[key] for key in (*same, "containerDefinitions", "runtimePlatform")}
    other = ecs.register_task_definition(**copied)["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(**place, taskDefinition=other)
    (text,) = compare()
    assert f"the ECS service runs the task definition {other.rpartition('/')[2]} with" in text
    assert f"aws ecs update-service --cluster {app}-live --service {app}-live --task-definition" in text

    # The remedy is the one that the message has.
    ecs.update_service(**place, taskDefinition=running["taskDefinition"])
    assert compare() == []

    foundation = client("cloudformation").describe_stacks(StackName=f"{app}-foundation")["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in foundation["Outputs"]}
    pointer = client("s3").get_object(Bucket=outputs["ArtifactBucketName"], Key="releases/production.json")
    tag = names.release_tag(json.loads(pointer["Body"].read())["name"])
    git("push", "--quiet", "origin", f":refs/tags/{tag}", cwd=service, env=dict(os.environ))
    (text,) = compare()
    remedy = f"is missing. To restore it: git push --force origin {head}:refs/tags/{tag}"
    assert remedy in text
    git("push", "--quiet", "--force", "origin", f"{head}:refs/tags/{tag}", cwd=service, env=dict(os.environ))
    assert compare() == []
