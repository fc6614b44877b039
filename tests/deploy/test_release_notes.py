"""`scaffold releases ENV --notes NAME`: the record of a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaffold.commands.releases import ReleasesOptions, show_notes
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.deployment.release_notes import ReleaseNotesResult
from scaffold.service.service import read
from scaffold.views.release_notes import text
from tests.deploy.services import client, run

NAME = "20260131-0915-0123456789ab"
RECORD = {
    "name": NAME,
    "commit": "c" * 40,
    "version": "0123456789abcdef",
    "digest": "sha256:d",
    "execution": "e-1",
    "started": "2026-01-31T09:15:00Z",
    "findings": {"file": "findings.json", "threshold": "high", "counts": {"LOW": 2, "MEDIUM": 0}},
}
COMPLETE = RECORD | {
    "finished": "2026-01-31T10:00:00Z",
    "approval": {"by": "arn:aws:iam::1:user/ada", "message": "Fine", "at": "2026-01-31T09:50:00Z"},
    "previous": {"name": "20260130-0900-ba9876543210", "commit": "b" * 40, "version": "v"},
    "notes": ["Fix totals", "Add orders\x1b[31m"],
}


def show(root: Path, name: str, environment: str = "prod") -> ReleaseNotesResult:
    return show_notes(ReleasesOptions(environment, root), name, Console())


def store(root: Path, body: bytes) -> None:
    foundation = client("cloudformation").describe_stacks(StackName=f"{read(root).app_name}-foundation")["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in foundation["Outputs"]}
    client("s3").put_object(Bucket=outputs["ArtifactBucketName"], Key=f"releases/{NAME}/release.json", Body=body)


def test_a_release_is_shown_as_it_was_recorded(service: Path) -> None:
    with pytest.raises(ScaffoldError, match="is not deployed in"):
        show(service, NAME)
    run(service)
    with pytest.raises(ScaffoldError, match=f"has no record of a release {NAME} in"):
        show(service, NAME)
    store(service, json.dumps(COMPLETE).encode())
    for given in (NAME, f"v{NAME}"):
        found = show(service, given)
        assert found.name == NAME
    document: dict[str, Any] = found.document()
    assert document["notes"] == tuple(COMPLETE["notes"])
    assert (document["approved_by"], document["message"]) == ("arn:aws:iam::1:user/ada", "Fine")
    shown = text(found)
    for words in (
        "scan         2 low",
        "released     2026-01-31T10:00:00Z",
        "approved by  arn:aws:iam::1:user/ada",
        "replaced     20260130-0900-ba9876543210",
        "Commits\n  Fix totals\n",
    ):
        assert words in shown
    assert "\x1b" not in shown

    store(service, json.dumps(RECORD).encode())
    begun = show(service, NAME)
    assert (begun.finished, begun.notes, begun.approved_by) == (None, None, None)
    assert "has not got through production" in text(begun)

    store(service, b"[]")
    with pytest.raises(ScaffoldError, match="is not a JSON object"):
        show(service, NAME)


@pytest.mark.parametrize("name", ["", "v1.0", "../production", f"{NAME}/../x", "20260131-0915-"])
def test_what_names_no_release_is_refused(service: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaffold.commands.releases.signed_in", None)  # it is refused before
    with pytest.raises(UsageError, match="is not the name of a release") as refused:
        show_notes(ReleasesOptions("dev", service, profile="work"), name, Console())
    assert refused.value.remedy == "`scaffold releases dev --profile work` lists the releases."


def test_an_unknown_environment_is_refused(service: Path) -> None:
    with pytest.raises(UsageError):
        show(service, NAME, "nowhere")
