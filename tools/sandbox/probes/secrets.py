"""What the stores of secrets answer about a secret without its value, and by which name they know it."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ..account import code
from ..registry import probe
from ..roles import Caller, allow
from ..sandbox import Sandbox
from ..stacks import Stack, template
from ..verdicts import Verdict, decided, refuted


@probe("partial-secret-arn")
def partial_secret_arn(sandbox: Sandbox) -> Verdict:
    """A secret by its ARN without the suffix, read by a role that may read `NAME-??????` only."""
    name = sandbox.name("secret")
    resources = {
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, "SecretString": "value"}}
    }
    Stack.create(sandbox, "with-secret", template(resources))
    partial = sandbox.client("secretsmanager").describe_secret(SecretId=name)["ARN"].rpartition("-")[0]
    caller = Caller.with_permissions(
        sandbox, "reading-secret", allow("secretsmanager:GetSecretValue", resource=f"{partial}-??????")
    )
    refused = caller.may(
        lambda: caller.client("secretsmanager").get_secret_value(SecretId=partial), "secretsmanager:GetSecretValue"
    )
    return decided(not refused, refused or f"{partial} was read")


@probe("tags-of-missing-parameter")
def tags_of_missing_parameter(sandbox: Sandbox) -> Verdict:
    """The tags of a parameter that does not exist."""
    try:
        answer = sandbox.client("ssm").list_tags_for_resource(
            ResourceType="Parameter", ResourceId=f"/{sandbox.name('missing')}"
        )
    except ClientError as error:
        return decided(code(error) in ("InvalidResourceId", "ParameterNotFound"), code(error))
    return refuted(f"it has the tags {answer['TagList']}")
