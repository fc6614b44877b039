"""What botocore, its HTTP library and AWS raise or answer: a sentence with a remedy, and no secret in it."""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterator
from contextlib import suppress
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore import exceptions as failures
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import given
from hypothesis import strategies as some

from scaffold import __main__ as entry
from scaffold.aws.errors import translate
from scaffold.aws.session import connect
from scaffold.commands import new
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.secrets import redact
from scaffold.core.target import Target
from scaffold.service.service import read
from tests.deploy.services import MORE, PIPELINE, Wire, commit, make_service, remove, run
from tests.deploy.test_refusals import refusal
from tests.pauses import skip_pauses

TOKEN = "FwoGZXIvYXdzEBYaDK+secret/of=the0session1token2"
VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment, and an endpoint at which nothing listens."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    skip_pauses(monkeypatch)


@pytest.fixture(scope="module")
def undeployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_service(tmp_path_factory.mktemp("undeployed") / "service")


def ends(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run the command line in this process, without its signal handlers."""
    monkeypatch.setattr("sys.argv", ["scaffold", *map(os.fspath, arguments)])
    monkeypatch.setattr(entry, "_install_signal_handlers", lambda: None)
    return entry.main()


# ---- secrets ----


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize("broken", ["\n", "\r\nX-Header: 1", "\x1b[31m", "\x7f"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_value_that_cannot_be_sent_is_named_by_its_variable_and_never_shown(
    undeployed: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    variable: str,
    broken: str,
    as_json: tuple[str, ...],
) -> None:
    monkeypatch.setenv(variable, TOKEN + broken + TOKEN[::-1])
    assert ends(monkeypatch, "deploy", undeployed, *as_json) == 1
    shown = "".join(capfd.readouterr())
    assert variable in shown
    assert TOKEN not in shown
    assert TOKEN[::-1] not in shown
    assert "Set " in shown


def test_credentials_of_a_profile_that_cannot_be_sent_are_not_shown(
    undeployed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process = json.dumps({"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": f"{TOKEN}\n"})
    (tmp_path / "answer.json").write_text(process)
    configure(monkeypatch, tmp_path, f"[default]\ncredential_process = cat {tmp_path / 'answer.json'}\n")
    assert ends(monkeypatch, "deploy", undeployed) == 1
    shown = "".join(capfd.readouterr())
    assert "custom-process" in shown
    assert TOKEN not in shown


def embeddings(secret: str) -> Iterator[str]:
    """How the text of an exception may hold a value."""
    yield f"Invalid header value {secret.encode()!r}"
    yield f"Invalid header value {secret!r}, {[secret]!r}"
    yield f"https://user:{secret.strip()}@127.0.0.1/path refused"
    yield f"Authorization: {secret}"


@given(
    body=some.text(string.ascii_letters + string.digits + "/+=", min_size=16), end=some.sampled_from(["", "\n", " "])
)
def test_no_form_of_a_secret_is_left_in_a_text(body: str, end: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SESSION_TOKEN", body + end)
        for text in embeddings(body + end):
            assert body not in redact(text), text


@pytest.mark.parametrize("text", list(embeddings(f"{TOKEN}\n")))
def test_an_unexpected_exception_is_shown_and_logged_without_secrets(
    undeployed: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    text: str,
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError(text)

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setattr("scaffold.commands.deploy.deploy", fails)
    assert ends(monkeypatch, "deploy", undeployed, "--json") == 70
    (log,) = (tmp_path / "gitops-scaffold").iterdir()
    assert "RuntimeError" in log.read_text()
    assert TOKEN not in log.read_text() + "".join(capfd.readouterr())


# ---- credentials, configuration, connection ----


def classes(base: type[BotoCoreError] = BotoCoreError) -> Iterator[type[BotoCoreError]]:
    """Every exception class of botocore."""
    for one in base.__subclasses__():
        if one.__module__ == failures.__name__:
            yield one
        yield from classes(one)


def example(kind: type[BotoCoreError]) -> BotoCoreError:
    """An exception of a class, with a text for each value that its message needs."""
    fields = {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(kind.fmt) if name}
    required = {name for name, one in signature(kind).parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD}
    return kind(**{name: f"the {name}" for name in fields | required - {"request", "response"}})


@pytest.mark.parametrize("kind", sorted(set(classes()), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_exception_of_botocore_is_a_sentence_with_a_remedy(
    undeployed: Path, credentials: None, monkeypatch: pytest.MonkeyPatch, kind: type[BotoCoreError]
) -> None:
    def fails(*_: Any) -> Any:
        raise example(kind)

    monkeypatch.setattr("boto3.Session.get_credentials", fails)
    with pytest.raises(ScaffoldError) as caught:
        connect(read(undeployed), Target("us-east-1"))
    for error in (caught.value, translate(example(kind))):
        assert error.exit_code == 1
        assert error.happened.endswith(".")
        assert error.remedy.endswith(".")
        assert kind.__name__ not in error.happened


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, config: str) -> None:
    """Leave a configuration file as the only source of credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (folder / "config").write_bytes(config.encode("latin-1"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


SSO = "sso_start_url = https://127.0.0.1/start\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r"
NOT_FETCHED = "AWS credentials could not be fetched: "


@pytest.mark.parametrize(
    ("config", "happened"),
    [
        ("[default]\ncredential_process = echo hello", NOT_FETCHED),
        ("[default]\ncredential_process = echo '[1]'", NOT_FETCHED),
        ("[default]\ncredential_process = echo '{\"Version\": 1}'", NOT_FETCHED),
        ("[default]\ncredential_process = printf \\\\377", NOT_FETCHED),
        ("[default]\ncredential_process = false", NOT_FETCHED),
        ("[default]\ncredential_process = /nowhere/helper", NOT_FETCHED),
        ("[default]\ncredential_process = 'unbalanced", NOT_FETCHED),
        ("[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nweb_identity_token_file = /nowhere", NOT_FETCHED),
        ("[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = gone", NOT_FETCHED),
        ("[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = default", NOT_FETCHED),
        ("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE", NOT_FETCHED),
        (f"[default]\n{SSO}", "Your AWS sign-in has expired."),
        ("[default]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = r", NOT_FETCHED),
        ("no section", "The AWS configuration cannot be used: "),
        ("[default]\nregion = \xff", "The AWS configuration cannot be used: "),
        ("[default]\ndefaults_mode = often\naws_access_key_id = a\naws_secret_access_key = b", "The AWS configuration"),
        ("", "No AWS credentials were found."),
    ],
)
def test_whatever_the_chain_of_credentials_raises_is_one_sentence(
    undeployed: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    config: str,
    happened: str,
) -> None:
    configure(monkeypatch, tmp_path, config)
    assert ends(monkeypatch, "deploy", undeployed) == 1
    error, remedy = capfd.readouterr().err.splitlines()
    assert error.startswith(f"Error: {happened}")
    assert remedy.startswith("  ")


@pytest.mark.parametrize(
    ("command", "remedy"),
    [("deploy", "`scaffold deploy --local`."), ("status", '`eval "$(scaffold local env)"`.')],
)
def test_without_credentials_the_remedy_suits_the_command(
    undeployed: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    command: str,
    remedy: str,
) -> None:
    configure(monkeypatch, tmp_path, "")
    assert ends(monkeypatch, command, undeployed) == 1
    assert capfd.readouterr().err.rstrip().endswith(remedy)


def test_a_token_file_that_is_missing_is_named(
    undeployed: Path, credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, "")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r")
    with pytest.raises(ScaffoldError, match="/nowhere/token"):
        connect(read(undeployed), Target("us-east-1"))


@pytest.mark.parametrize("url", ["localhost:4566", "http://[", "127.0.0.1", "://x", "http://user:secret-password@:x"])
def test_an_endpoint_that_is_no_url(
    undeployed: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    url: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert ends(monkeypatch, "deploy", undeployed) == 1
    shown = capfd.readouterr().err
    assert "AWS_ENDPOINT_URL" in shown
    assert "secret-password" not in shown


@pytest.mark.parametrize(
    ("config", "endpoint"),
    [("[default]\ncredential_process = echo hello", "http://127.0.0.1:1"), ("no section", ""), ("", "localhost:4566")],
)
def test_no_failure_of_the_chain_costs_the_answers_of_a_new_service(
    undeployed: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    config: str,
    endpoint: str,
) -> None:
    configure(monkeypatch, tmp_path, config)
    if not config:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    recorded = yaml.safe_load((undeployed / ".copier-answers.yml").read_text())
    answers: Any = SimpleNamespace(recorded=recorded, computed={})
    assert new._ask_to_deploy(new.NewOptions(), answers, undeployed, Console()) is False
    assert "It will not be deployed now: " in capfd.readouterr().err


# ---- refusals ----


@pytest.mark.parametrize(
    ("code", "status", "operation", "message", "happened", "remedy"),
    [
        ("InternalFailure", 500, "GetBranch", "", "AWS is unavailable", "Try again"),
        ("ServiceUnavailable", 503, "DescribeStacks", "try later", "AWS is unavailable", "Try again"),
        ("503", 503, "HeadBucket", "", "AWS is unavailable", "Try again"),
        ("SlowDown", 503, "PutObject", "", "AWS is throttling", "in a minute"),
        ("RequestExpired", 400, "DescribeStacks", "", "has expired or lies in the future", "clock"),
        ("RequestTimeTooSkewed", 403, "HeadBucket", "", "has expired or lies in the future", "clock"),
        ("SignatureDoesNotMatch", 403, "ListRoles", "Signature expired: 20260101", "has expired", "clock"),
        ("InvalidSignatureException", 400, "GetBranch", "Signature not yet current", "has expired", "clock"),
        ("AlreadyExistsException", 400, "CreateStack", "Stack [x] already exists", "Another deployment", "Wait"),
        ("AlreadyExistsException", 400, "CreateChangeSet", "exists", "Another deployment", "Wait"),
        ("ChangeSetNotFound", 404, "DescribeChangeSet", "ChangeSet x does not exist", "Another deployment", "Wait"),
        ("InvalidChangeSetStatus", 400, "ExecuteChangeSet", "", "Another deployment", "Wait"),
        (
            "ValidationError",
            400,
            "DeleteStack",
            "Stack:arn:x is in UPDATE_IN_PROGRESS state and can not be updated.",
            "Another deployment",
            "Wait",
        ),
    ],
)
def test_a_refusal_that_has_nothing_to_fix_says_when_to_try_again(
    code: str, status: int, operation: str, message: str, happened: str, remedy: str
) -> None:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = translate(ClientError(answer, operation))
    assert happened in error.happened
    assert remedy in error.remedy
    assert "Fix" not in error.remedy


# ---- answers ----

GARBLED = {
    "empty": b"",
    "html": b"<html><body>Please sign in</body></html>",
    "cut off": b'{"stageStates": [{"stageName": "So',
    "cut off xml": b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackId>arn:aws",
    "no fields": b"{}",
    "other fields": b'{"message": "hello", "Stacks": [{}], "branch": {}, "stageStates": [{}]}',
    "binary": bytes(range(256)),
}
QUICK = (
    "GetCallerIdentity",
    "DescribeStacks",
    "ListAssociatedApprovalRuleTemplatesForRepository",
    "ListRoles",
    "GetPipelineState",
    "GetTemplate",
)


@pytest.mark.parametrize("kind", [pytest.param("html", marks=pytest.mark.slow), "cut off"])
def test_an_answer_that_cannot_be_read_is_one_sentence(deployed: Path, wire: Wire, kind: str) -> None:
    for operation in QUICK:
        wire.garble(operation, GARBLED[kind])
        assert refusal(deployed, plan=True).exit_code == 1
        wire.transport.clear()


@pytest.mark.slow
@pytest.mark.parametrize("kind", GARBLED)
def test_no_answer_of_a_deployment_or_teardown_ends_in_a_bug(deployed: Path, wire: Wire, kind: str) -> None:
    commit(deployed, infrastructure__pipeline_yaml=PIPELINE + MORE)
    wire.calls.clear()
    run(deployed, plan=True)
    remove(deployed, plan=True)
    for operation in sorted({call.split(":")[1] for call in wire.calls}):
        wire.garble(operation, GARBLED[kind])
        for command in (run, remove):
            with suppress(ScaffoldError):
                command(deployed, plan=True)
        wire.transport.clear()
