"""`scaffold open`: the address of a service, and of its pages in the AWS console."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws import console_pages
from scaffold.aws.session import Session
from scaffold.commands.open import OpenOptions
from scaffold.commands.open import run as open_page
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.target import Target
from scaffold.deployment.pages import OpenResult
from scaffold.service import names
from scaffold.service.service import read
from tests.cli.running import forked_scaffold
from tests.deploy.services import client, run
from tests.release.services import ENVIRONMENT, PATIENT


def shown(root: Path, *chosen: str, **options: Any) -> OpenResult:
    return open_page(OpenOptions(root, chosen=chosen, **options), Console())


def put(app: str, url: str, operation: str = "create") -> None:
    """Create or update the environment stack of prod, as the pipeline does after an approval."""
    cloudformation = client("cloudformation")
    name, body = f"{app}-prod-environment", ENVIRONMENT + f"Outputs:\n  ServiceUrl: {{Value: '{url}'}}\n"
    tags = [{"Key": names.TAG_SERVICE, "Value": app}]
    getattr(cloudformation, f"{operation}_stack")(StackName=name, TemplateBody=body, Tags=tags)
    cloudformation.get_waiter(f"stack_{operation}_complete").wait(StackName=name, WaiterConfig=PATIENT)


def test_the_service_is_opened(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ScaffoldError, match="has no pipeline"):
        shown(service)
    run(service)
    app = read(service).app_name
    with pytest.raises(ScaffoldError, match="has no URL in local AWS"):
        shown(service)
    put(app, "http://127.0.0.1:9")
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    done = forked_scaffold("open", "--directory", service, cwd=tmp_path, BROWSER=os.fspath(browser))
    assert (done.returncode, done.stdout) == (0, "http://127.0.0.1:9\n")
    assert opened.read_text() == "http://127.0.0.1:9\n"

    monkeypatch.setattr(webbrowser, "open", lambda _url: False)
    capsys.readouterr()
    result = shown(service, environment="prod")
    assert (result.url, result.environment, result.opened) == ("http://127.0.0.1:9", "prod", False)
    assert "There is no browser here" in capsys.readouterr().err
    monkeypatch.delattr(webbrowser, "open")
    assert shown(service, print_only=True).url == "http://127.0.0.1:9"

    for page in ("pipeline", "dashboard", "repository"):
        with pytest.raises(ScaffoldError, match=f"Local AWS has no console, so there is no page of the {page}"):
            shown(service, page)

    put(app, "file:///etc/passwd", "update")
    with pytest.raises(ScaffoldError, match="is no HTTP address"):
        shown(service)


def test_pages_that_exclude_each_other(service: Path) -> None:
    with pytest.raises(UsageError, match="Only one page"):
        shown(service, "pipeline", "repository")
    with pytest.raises(UsageError, match="the same for all environments"):
        shown(service, "pipeline", environment="dev")
    with pytest.raises(UsageError, match="has no environment 'test'"):
        shown(service, environment="test")


@pytest.mark.parametrize(
    ("partition", "region", "domain"),
    [("aws", "eu-west-1", "aws.amazon.com"), ("aws-us-gov", "us-gov-west-1", "amazonaws-us-gov.com")],
)
def test_pages_of_the_console(partition: str, region: str, domain: str) -> None:
    session = Session("0" * 12, f"arn:{partition}:iam::{'0' * 12}:user/a", Target(region), None)
    start = f"https://{region}.console.{domain}"
    assert console_pages.pipeline(session, "shop") == (
        f"{start}/codesuite/codepipeline/pipelines/shop/view?region={region}"
    )
    assert console_pages.repository(session, "shop") == (
        f"{start}/codesuite/codecommit/repositories/shop/browse?region={region}"
    )
    assert console_pages.dashboard(session, "shop", "dev") == (
        f"{start}/cloudwatch/home?region={region}#dashboards/dashboard/shop-dev"
    )
