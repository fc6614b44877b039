"""What every request to create or change a stack holds: template, parameters, tags, capabilities, service role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names


@dataclass(frozen=True)
class Foundation:
    """What the foundation's outputs give to the stacks that are created after it.

    Attributes:
        deploy_role: The ARN of the role that CloudFormation assumes for stacks whose kind has a service role.
        artifact_bucket: The bucket that holds templates too large to be sent inline.
    """

    deploy_role: str | None = None
    artifact_bucket: str | None = None

    @classmethod
    def of(cls, outputs: Mapping[str, str]) -> Foundation:
        """Read them from the outputs of the foundation's stack."""
        return cls(outputs.get("DeployRoleArn"), outputs.get("ArtifactBucketName"))


def stack_request(session: Session, spec: StackSpec, foundation: Foundation) -> dict[str, Any]:
    """The arguments that CreateStack and CreateChangeSet have in common, without the stack's name.

    Raises:
        ScaffoldError: The template is too large to be sent inline, and there is no bucket yet.
    """
    role = foundation.deploy_role if spec.kind.service_role else None
    return {
        **_template(session, spec, foundation.artifact_bucket),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in spec.given.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
        "Capabilities": spec.capabilities,
        **({"RoleARN": role} if role else {}),
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
