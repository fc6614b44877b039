"""A service with a domain, from its first release until the domain is given up, through the pipeline and its gate."""

from __future__ import annotations

import http.client
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.follow import ReleaseFailed
from scaffold.deployment.left_stack import Left
from tests.deploy.services import all_stacks, client, commit, run
from tests.release.rehearsals import APPLICATION, small_service
from tests.release.services import decide, look, release

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

COMMON: dict[str, Any] = {"app_name": "named", "customize": True, "approval": "none"}
DOMAIN = {"domain_name": "shop.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
STACK = "named-live-domain"


def outputs(stack: str) -> dict[str, str]:
    (found,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}


def asked(url: str) -> tuple[int, str | None]:
    """The status of a response, and where it redirects to."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/cart?item=1")
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.headers["Location"]


def test_a_domain_is_released_kept_and_given_up(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "named", **COMMON, **DOMAIN, deployment_strategy="blue_green")
    assert release(root).exit_code == 0
    plain, secure = (outputs(f"named-live-{kind}") for kind in ("environment", "domain"))
    (live,) = look(root).environments
    assert live.url == secure["ServiceUrl"] != plain["ServiceUrl"]
    assert live.answers == live.version
    assert asked(plain["ServiceUrl"]) == (301, "https://shop.example.com:443/cart?item=1")

    # The weights that the stack of the domain was created with stay, although ECS has changed those of the rule.
    commit(root, app__src__main_mjs=f"{APPLICATION}// 2\n")
    assert release(root).exit_code == 0
    assert asked(secure["ServiceUrl"]) == (200, None)

    # Without the domain, and with a strategy that shifts traffic.
    given_up(root, tmp_path / "shifting", deployment_strategy="blue_green")
    with pytest.raises(ReleaseFailed, match="StrategyGate"):
        release_changed_pipeline(root)
    assert asked(secure["ServiceUrl"]) == (200, None)

    given_up(root, tmp_path / "rolling", deployment_strategy="rolling")
    assert release(root).exit_code == 0
    (live,) = look(root).environments
    assert live.url == plain["ServiceUrl"]
    assert asked(plain["ServiceUrl"]) == asked(secure["ServiceUrl"]) == (200, None)

    assert run(root).left_stacks == (Left(STACK, "protected"),)
    assert may_delete_certificates()
    client("cloudformation").update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
    run(root)
    assert STACK not in {one["StackName"] for one in all_stacks()}
    # The permissions that the deletion needed are a stack of a person.
    assert run(root).left_stacks == (Left("named-live-deploy-options", "person", protected=True),)
    assert asked(plain["ServiceUrl"]) == (200, None)


def release_changed_pipeline(root: Path) -> DeployResult:
    """Release, and approve in the merge gate."""
    waiting = release(root).release
    assert waiting
    assert waiting.waiting == "Approve-Gate"
    decide(root, yes=True, execution=waiting.execution)
    return release(root)


def given_up(root: Path, other: Path, **answers: Any) -> None:
    """Commit the files of a service without the domain."""
    small_service(other, **COMMON, **answers)
    for folder in ("infrastructure", "config"):
        shutil.rmtree(root / folder)
        shutil.copytree(other / folder, root / folder)
    commit(root)


def may_delete_certificates() -> bool:
    """Whether the deploy role still has what the stack of a domain needs."""
    attached = client("iam").list_attached_role_policies(RoleName="named-live-deploy")["AttachedPolicies"]
    return any("OptionsPolicy" in one["PolicyName"] for one in attached)
