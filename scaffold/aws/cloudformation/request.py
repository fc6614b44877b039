"""What every request to create or change a stack holds: template, parameters, tags, capabilities, service role."""

from __future__ import annotations

from typing import Any

from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names


def stack_request(session: Session, spec: StackSpec, bucket: str | None) -> dict[str, Any]:
    """The arguments that CreateStack and CreateChangeSet have in common, without the stack's name.

    Args:
        bucket: The bucket for templates that are too large to be sent inline; None while there is none.

    Raises:
        ScaffoldError: The template is too large to be sent inline, and there is no bucket yet.
    """
    role = f"arn:{session.partition}:iam::{session.account}:role{spec.deploy_role}"
    return {
        **_template(session, spec, bucket),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in spec.given.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
        "Capabilities": spec.capabilities,
        **({"RoleARN": role} if spec.deploy_role else {}),
    }


def _template(session: Session, spec: StackSpec, bucket: str | None) -> dict[str, str]:
    if not spec.too_large_inline:
        return {"TemplateBody": spec.body}
    if bucket is None:
        raise ScaffoldError(
            f"The template of {spec.name} is larger than the 51,200 bytes that CloudFormation accepts inline.",
            "Make it smaller: the bucket that could hold it is created by this stack.",
        )
    client, key = session.client("s3"), names.template_key(spec.name)
    client.put_object(Bucket=bucket, Key=key, Body=spec.body.encode(), ContentType="application/yaml")
    # The region's own endpoint, or the configured one: CloudFormation follows no redirect to the bucket's region.
    return {"TemplateURL": f"{client.meta.endpoint_url}/{bucket}/{key}"}
