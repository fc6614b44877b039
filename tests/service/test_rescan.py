"""What runs is scanned again each night: people are told what would stop its release today, and how to fix it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import run_script

OLD, NEW = (f"sha256:{one * 64}" for one in "ab")
STOPS = "STOPS THE RELEASE"
IMAGE = "registry/orders@"
TOLD, FAILED, USAGE = 0, 1, 2
MAIL, CHAT = (f"arn:aws:sns:eu-west-1:1:orders-{name}" for name in ("notifications", "chat"))


def finding(name: str, verdict: str = STOPS, **more: Any) -> dict[str, Any]:
    found = {"id": f"CVE-{name}", "severity": "CRITICAL", "package": name, "version": "1.0", "fixed_in": "1.1"}
    return {**found, "fixable": True, "ecosystem": "npm", "verdict": verdict, **more}


class Night:
    """The script of a service, with what it finds.

    Attributes:
        images: The image of each environment; empty without a release.
        scans: The exit code of the scan gate and its findings, by the digest of the image.
        publish: The exit code of the message.
    """

    def __init__(self, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = script
        self.monkeypatch = monkeypatch
        self.images = {"dev": NEW, "staging": NEW, "prod": OLD}
        self.scans: dict[str, tuple[int, list[dict[str, Any]]]] = {OLD: (0, []), NEW: (0, [])}
        self.publish = 0
        self.messages: list[tuple[str, str]] = []
        self.chat: list[tuple[str, dict[str, str]]] = []
        self.scanned: list[str] = []

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        given = {"APP_NAME": "orders", "ENVIRONMENTS": "dev staging prod", "REPOSITORY_NAME": "orders"}
        given |= {"REPOSITORY_URI": "registry/orders", "NOTIFICATION_TOPIC": MAIL}
        return run_script(self.monkeypatch, self.script, self.command, given | variables)

    def command(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        option = dict(itertools.pairwise(words))
        if words[0] == sys.executable:
            assert option["--policy"] == "config/policies/scan-policy.toml"
            assert "--sbom" in option
            self.scanned.append(option["--digest"])
            code, found = self.scans[option["--digest"]]
            if code in (0, 1):
                Path(option["--findings"]).write_text(json.dumps({"findings": found}))
            return subprocess.CompletedProcess(words, code)
        if words[1] == "sns":
            request = json.loads(option["--cli-input-json"])
            if request["TopicArn"] == MAIL:
                self.messages.append((request["Subject"], request["Message"]))
            else:
                self.chat.append((request["TopicArn"], json.loads(request["Message"])["content"]))
            error = "An error occurred (AuthorizationError) when calling the Publish operation: no"
            return subprocess.CompletedProcess(words, self.publish, "{}", error if self.publish else "")
        request = json.loads(option["--cli-input-json"])
        if words[1] == "ecs":
            image = self.images[request["taskDefinition"].removeprefix("arn:")]
            containers = [
                {"image": "registry/proxy@sha256:1"},
                *([] if image == "none" else [{"image": IMAGE + image}]),
            ]
            return _answer(words, {"taskDefinition": {"containerDefinitions": containers}})
        environment = request["StackName"].removeprefix("orders-").removesuffix("-service")
        image = self.images[environment]
        if image == "unreadable":
            return _answer(words, {})
        given = [{"ParameterKey": "TaskDefinitionArn", "ParameterValue": f"arn:{environment}"}] if image else []
        return _answer(words, {"Stacks": [{"Parameters": given}]})


def _answer(words: list[str], document: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(words, 0, json.dumps(document), "")


@pytest.fixture
def night(generated_custom: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(generated_custom / "config/scripts/rescan.py", monkeypatch)


def test_each_image_is_scanned_once_and_silence_means_no_findings(night: Night) -> None:
    done = night.run()
    assert (done.returncode, done.stderr, night.messages) == (TOLD, "", [])
    assert sorted(night.scanned) == [OLD, NEW]


def test_one_message_has_all_findings_with_their_places_and_fixes(night: Night) -> None:
    night.scans[NEW] = (1, [finding("express"), finding("old", "allowed until 2999-01-01: x")])
    night.scans[OLD] = (
        1,
        [
            finding("curl", ecosystem="deb"),
            finding("zlib", ecosystem="", fixed_in="", fixable=None),
            finding("glibc", f"{STOPS}: its exception expired on 2026-01-01", fixed_in="", fixable=False),
        ],
    )
    done = night.run()
    assert (done.returncode, done.stderr) == (TOLD, "")
    ((subject, text),) = night.messages
    assert subject == "orders: findings in what runs"
    assert text.splitlines() == [
        f"orders: 1 finding would stop a release of what runs in dev, staging ({NEW}):",
        "- CRITICAL CVE-express in express 1.0; fixed in 1.1: update the package in app/",
        "",
        f"orders: 3 findings would stop a release of what runs in prod ({OLD}):",
        "- CRITICAL CVE-curl in curl 1.0; fixed in 1.1: update the base image in app/Dockerfile",
        "- CRITICAL CVE-zlib in zlib 1.0; update the base image in app/Dockerfile",
        "- CRITICAL CVE-glibc in glibc 1.0; no version fixes it yet; add an exception with a date to"
        " config/policies/scan-policy.toml; its exception expired on 2026-01-01",
        "",
        "A release of the changed source replaces the image. An exception with reason and date silences a finding.",
    ]


@pytest.mark.parametrize("topic", ["", CHAT])
def test_chat_is_told_too_where_there_is_one(night: Night, topic: str) -> None:
    night.scans[OLD] = (1, [finding("express")])
    done = night.run(CHAT_TOPIC=topic)
    ((subject, text),) = night.messages
    assert done.returncode == TOLD
    assert night.chat == ([(CHAT, {"title": subject, "description": text})] if topic else [])


def test_many_findings_are_counted(night: Night) -> None:
    night.scans[OLD] = (1, [finding(str(number)) for number in range(100)])
    night.run()
    assert "- and 60 more, in the log of the build orders-scan" in night.messages[0][1]


def test_an_environment_without_a_release_has_nothing_to_scan(night: Night) -> None:
    night.images = {"dev": "", "staging": "", "prod": ""}
    assert (night.run().returncode, night.scanned) == (TOLD, [])


def test_an_image_that_cannot_be_scanned_fails_the_build_after_the_message_about_the_others(night: Night) -> None:
    night.scans = {NEW: (3, []), OLD: (1, [finding("express")])}
    done = night.run()
    assert (done.returncode, len(night.messages)) == (FAILED, 1)
    assert done.stderr == f"Not scanned: {NEW}, which runs in dev, staging.\n"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda night: night.images.update(dev="unreadable"), "nothing says which image orders-dev-service runs"),
        (lambda night: night.images.update(dev="none"), "nothing says which image orders-dev-service runs"),
        (lambda night: setattr(night, "publish", 254), "AuthorizationError"),
    ],
)
def test_what_keeps_people_from_being_told_fails_the_build(
    night: Night, spoil: Callable[[Night], None], words: str
) -> None:
    night.scans[OLD] = (1, [finding("express")])
    spoil(night)
    done = night.run()
    assert (done.returncode, words in done.stderr) == (FAILED, True), done.stderr


def test_missing_variables_are_named(night: Night) -> None:
    done = night.run(NOTIFICATION_TOPIC="")
    assert (done.returncode, done.stderr) == (USAGE, "Set NOTIFICATION_TOPIC.\n")
