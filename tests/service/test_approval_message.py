"""Who approves a release is told its changes, its commits and its findings, in a text that is safe to show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.service.conftest import function_of
from tests.service.test_complete_release import FIRST, SECOND, Service

GIVEN = {"ENVIRONMENT_NAME": "prod", "PIPELINE_PAGE": "https://pipeline"}
PLANNED = [
    SimpleNamespace(changes=(), summary="network: nothing"),
    SimpleNamespace(changes=("x",), summary="task-definition: version a to b"),
]
PRICES = {
    "hours_per_month": 730,
    "vcpu_hour": 0.04,
    "gb_hour": 0.004,
    "spot_discount": 0.7,
    "load_balancer_hour": 0.02,
    "nat_gateway_hour": 0.05,
    "public_ipv4_hour": 0.005,
    "zones": 2,
}
FINDINGS = {"file": "findings.json", "threshold": "high", "counts": {"UNTRIAGED": 1, "LOW": 4, "HIGH": 2}}


@pytest.fixture
def service(
    local: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Service:
    for name, value in local.items():
        monkeypatch.setenv(name, value)
    return Service(request.node.name.replace("_", "-")[5:55].strip("-"), tmp_path, local)


def message(service: Service, name: str, commit: str, findings: Any = None) -> str:
    service.store(f"releases/{name}/release.json", {**service.record(name), "findings": findings})
    given = {"APP_NAME": service.name, "ARTIFACT_BUCKET": service.name, "COMMIT": commit, "RELEASE_NAME": name}
    approval_message = function_of("approval_message.py", "approval_message")
    # In a service, they are a file of it.
    prices = approval_message.__globals__["Prices"](**PRICES)
    approval_message.__globals__["Prices"] = SimpleNamespace(read=lambda: prices)
    text: str = approval_message(GIVEN | given, PLANNED, [])
    return text


def test_a_release_is_described_by_what_production_lacks(service: Service) -> None:
    first = service.build(FIRST, "Generate", "Add orders")
    head = (
        f"{service.name}: the release {FIRST} waits for approval in the stage Approve-Prod.\nhttps://pipeline\n\n"
        "What changes in prod:\n- task-definition: version a to b\n\n"
    )
    of_first = "Commits of the first release:\n- Add orders\n- Generate\n"
    assert message(service, FIRST, first) == head + of_first
    service.complete(FIRST)
    second = service.build(SECOND, "Fix orders", "Log orders")
    expected = (
        f"{head.replace(FIRST, SECOND)}Commits since the release {FIRST}, which production has:\n- Log orders\n"
        "- Fix orders\n\nFindings of the image scan: 2 high, 4 low, 1 untriaged.\n"
    )
    assert message(service, SECOND, second, FINDINGS) == expected
    # Production runs an older release again, or the same commit.
    assert f"There are no commits since the release {FIRST}" in message(service, FIRST, first)
    assert message(service, FIRST, first, FINDINGS | {"counts": {}}).endswith("Findings of the image scan: none.\n")


@pytest.mark.slow
def test_the_costs_of_the_environment_are_compared_with_those_of_production(service: Service) -> None:
    folder = service.folder / "infrastructure" / "prod"
    folder.mkdir(parents=True)
    (folder / "environment.json").write_text('{"Parameters": {}}')
    (folder / "network.json").write_text("{}")
    (folder / "task-definition.yaml").write_text("      Cpu: '1024'\n      Memory: '1024'\n")

    def release(name: str, tasks: int) -> str:
        sized = {"MinTasks": str(tasks), "Spot": "false", "Egress": "nat_gateway"}
        (folder / "service.json").write_text(json.dumps({"Parameters": sized}))
        service.git("add", "infrastructure")
        return message(service, name, service.build(name, f"Run {tasks}"))

    # Two tasks of 0.044 USD an hour; load balancer, NAT gateway, and three addresses of 0.085 USD together.
    first = re.findall("prod costs .*", release(FIRST, 2))
    assert first == [f"prod costs about {730 * (2 * 0.044 + 0.085):.2f} USD a month without traffic."]
    service.complete(FIRST)
    second = release(SECOND, 3)
    assert f"{730 * (3 * 0.044 + 0.085):.2f} USD a month without traffic, +{730 * 0.044:.2f} USD.\n" in second
    assert release("20260131-1104-0123456789ab", 2).endswith("USD a month without traffic, as before.\n")


def test_what_cannot_be_read_is_named(service: Service) -> None:
    commit = service.build(FIRST, "Generate")
    service.store("releases/production.json", ["not an object"])
    text = message(service, FIRST, commit, FINDINGS)
    assert "Commits and costs since production could not be read: " in text
    assert "Findings of the image scan: 2 high" in text


def test_only_the_newest_commits_are_listed(service: Service) -> None:
    commit = service.build(FIRST, *(f"Commit {number}" for number in range(22)))
    text = message(service, FIRST, commit)
    assert text.count("\n- Commit") == 20
    assert text.endswith("- Commit 2\n- and 2 or more\n")


@pytest.mark.parametrize(
    ("text", "mail", "chat"),
    [
        ("a\x1b[31m\nb", "a?[31m\nb", "a?[31m\nb"),
        ("<!channel> <https://evil|here>", "<!channel> <https://evil|here>", "(!channel) (https://evil|here)"),
        ('"quoted" \\ #{Build.X}', '"quoted" \\ #{Build.X}', '"quoted" \\ #{Build.X}'),
        ("x" * 5000, "x" * 5000, "x" * 3997 + "..."),
    ],
    ids=["control characters", "mentions and links", "quotes", "long"],
)
def test_a_hostile_text_is_shown_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, text: str, mail: str, chat: str
) -> None:
    tell = function_of("tell_people.py", "tell")
    published: list[dict[str, str]] = []
    tell.__globals__["call"] = lambda *_, **request: published.append(request)
    monkeypatch.setenv("NOTIFICATION_TOPIC", "mail")
    monkeypatch.setenv("CHAT_TOPIC", "chat")
    tell("Caf\u00e9\n", text)
    assert published[0] == {"TopicArn": "mail", "Subject": "Caf??", "Message": mail}
    assert json.loads(published[1]["Message"])["content"] == {"title": "Caf??", "description": chat}
