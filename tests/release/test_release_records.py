"""The records and tags of releases through the kit's own pipeline, whose roles have only their own permissions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.git import git
from scaffold.service.service import read
from scaffold.views import past_releases
from scaffold.views import rollback as rollback_view
from scaffold.views.status import text
from tests.deploy.services import Wire, client, commit
from tests.release.rehearsals import small_service
from tests.release.services import decide, list_releases, look, release, roll_back
from tests.release.test_rollback import ended


class Records:
    """What a deployed service has recorded and tagged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.app = read(root).app_name

    def release(self, message: str) -> str:
        """Release HEAD through its approval; return the execution."""
        outcome = release(self.root)
        while outcome.release and outcome.release.waiting:
            decide(self.root, yes=True, execution=outcome.release.execution, message=message)
            outcome = release(self.root)
        assert outcome.exit_code == 0
        assert outcome.release
        return str(outcome.release.execution)

    def read(self, key: str) -> dict[str, Any]:
        foundation = client("cloudformation").describe_stacks(StackName=f"{self.app}-foundation")["Stacks"][0]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in foundation["Outputs"]}
        answer = client("s3").get_object(Bucket=outputs["ArtifactBucketName"], Key=f"releases/{key}.json")
        document: dict[str, Any] = json.loads(answer["Body"].read())
        return document

    def tags(self) -> dict[str, str]:
        lines = git("ls-remote", "--tags", "origin", cwd=self.root, env=dict(os.environ)).splitlines()
        return {name.removeprefix("refs/tags/"): commit for commit, name in (line.split("\t") for line in lines)}

    def executions(self) -> int:
        return len(client("codepipeline").list_pipeline_executions(pipelineName=self.app)["pipelineExecutionSummaries"])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_production_is_recorded_and_tagged(tmp_path: Path, wire: Wire) -> None:
    records = Records(small_service(tmp_path / "service", app_name="recorded", environments="live"))
    records.release("Looks fine")
    first = records.read("production")
    record = records.read(f"{first['name']}/release")
    head = git("rev-parse", "HEAD", cwd=records.root)
    assert (record["commit"], record["environment"], record["previous"]) == (head, "live", None)
    assert record["approval"]["message"] == "Looks fine"
    assert record["approval"]["by"].startswith("arn:aws:")
    assert record["digest"] in record["image"]
    assert records.tags() == {f"v{first['name']}": head}

    # The same content with another configuration is another release, with a name of its own.
    second = commit(records.root, "Explain it", config__notes_txt="More\n")
    before = records.executions()
    records.release("Fine again")
    assert records.executions() == before + 1  # A tag starts nothing.
    newest = records.read("production")
    later = records.read(f"{newest['name']}/release")
    assert (later["version"], later["notes"]) == (record["version"], ["Explain it"])
    assert later["previous"]["name"] == first["name"] != newest["name"]
    tags = {f"v{first['name']}": head, f"v{newest['name']}": second}
    assert records.tags() == tags

    wire.calls.clear()
    (live,) = look(records.root).environments
    # As many pages of stacks as the account has.
    pages = wire.calls.count("cloudformation:DescribeStacks") - 1
    assert len(wire.calls) - pages - wire.calls.count("ecr:BatchGetImage") <= 5 + 6
    assert live.completed
    assert (live.completed.name, live.completed.tagged, live.differences) == (newest["name"], second, ())
    assert f"released    {newest['name']}; tag v{newest['name']}" in text(look(records.root))
    shown = past_releases.text(list_releases(records.root, "live"))
    assert f"{newest['name']}  succeeded, answers now\n  version    {later['version']}" in shown
    assert f"{first['name']}  succeeded\n" in shown

    # A tag that a person has deleted is missed, and a rollback does not move the other one.
    deleted = f":refs/tags/v{newest['name']}"
    git("push", "--quiet", "origin", deleted, cwd=records.root, env=dict(os.environ))
    assert look(records.root).environments[0].differences == (f"The repository has no tag v{newest['name']}.",)
    del tags[f"v{newest['name']}"]
    rolled = roll_back(records.root, to=first["name"])
    assert f"rolls back to {first['name']} in" in rollback_view.text(rolled)
    assert f"release    {first['name']}" in rollback_view.describe(rolled.plan)
    back = ended(records.root, "live", rolled.execution)
    assert (back.outcome, back.name) == ("Succeeded", first["name"])
    assert look(records.root).environments[0].differences == ()
    assert (records.read("production")["name"], records.tags()) == (first["name"], tags)
    assert records.read(f"{first['name']}/release") == record
