"""No condition is overridden without a record of who did it, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from scaffold.aws.pipeline_state import ConditionState
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.target import Target
from scaffold.deployment import override as module
from scaffold.deployment.override import BlockedRelease, OverrideResult, override
from scaffold.service.service import Service
from scaffold.views import override as override_view

MISSING = ClientError({"Error": {"Code": "NotFound", "Message": "Topic does not exist"}}, "Publish")
DENIED = ClientError(
    {"Error": {"Code": "AuthorizationError", "Message": "not authorized to perform: SNS:Publish on resource: t"}},
    "Publish",
)
AWAY = EndpointConnectionError(endpoint_url="https://sns.eu-west-1.amazonaws.com/")


class Account:
    """The calls of an override, in their order; the session and each of its clients."""

    account, region, partition, caller = "123456789012", "eu-west-1", "aws", "arn:aws:iam::123456789012:user/ann"

    def __init__(self, failure: Exception | None) -> None:
        self.calls: list[str] = []
        self._failure = failure

    def client(self, _: str) -> Account:
        return self

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def post_comment_for_compared_commit(self, **_: Any) -> None:
        self.calls.append("comment")

    def override_stage_condition(self, **_: Any) -> None:
        self.calls.append("override")

    def publish(self, **_: Any) -> None:
        if self._failure:
            raise self._failure
        self.calls.append("message")


def run(
    monkeypatch: pytest.MonkeyPatch, account: Account, commit: str | None, reason: str = "A customer waits"
) -> OverrideResult:
    """Override with an account whose answers no local AWS gives: a release without a commit, a topic that fails."""
    condition = ConditionState("BEFORE_ENTRY", "InProgress", None, ("Window",))
    release = BlockedRelease("Live", "execution", commit, condition)
    for name, value in {
        "signed_in": lambda *_: account,
        "find_all": lambda _: {},
        "_blocked": lambda *_: release,
    }.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("scaffold.service.identity.root_commit", lambda _: "root")
    service = Service(Path("/service"), "orders-api", "eu-west-1", ("dev", "live"), "live")
    return override(
        service,
        Target("eu-west-1"),
        stage="live",
        reason=reason,
        execution=None,
        confirm=lambda _: True,
        console=Console(),
    )


def test_the_record_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with_commit, without = Account(None), Account(None)
    assert run(monkeypatch, with_commit, "abc").told
    assert with_commit.calls == ["comment", "override", "message"]
    result = run(monkeypatch, without, None)
    assert without.calls == ["message", "override"]
    assert "recorded in a message of the notification topic." in override_view.text(result)


@pytest.mark.parametrize("failure", [MISSING, DENIED, AWAY])
def test_without_any_record_nothing_is_overridden(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    account = Account(failure)
    with pytest.raises(ScaffoldError, match="Nothing was overridden, since the reason cannot be recorded"):
        run(monkeypatch, account, None)
    assert account.calls == []


@pytest.mark.parametrize(
    ("failure", "words"), [(MISSING, "Topic does not exist"), (DENIED, "SNS:Publish"), (AWAY, "sns.eu-west-1")]
)
def test_why_there_is_no_message(monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str) -> None:
    account = Account(failure)
    said = override_view.text(run(monkeypatch, account, "abc"))
    assert account.calls == ["comment", "override"]
    assert words in said
    assert "may not publish" not in said


def test_only_the_characters_that_are_recorded_count(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Account(None), "abc", "  " + "x" * 512 + "  \n")
    assert result.reason == "x" * 512
    for reason in (" \n ", "x" * 513):
        with pytest.raises(UsageError, match=f"The reason has {len(reason.strip())} characters"):
            run(monkeypatch, Account(None), "abc", reason)
