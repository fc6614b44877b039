"""Load balancers and their networks: who writes their logs, and with which permissions."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ..registry import probe
from ..roles import Caller, allow
from ..sandbox import Sandbox
from ..stacks import Stack, Template, template
from ..verdicts import Unavailable, Undecided, Verdict, decided, proved, refuted

_BALANCERS, _DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"
_VPC: Template = {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.99.0.0/16"}}}


def _bucket(sandbox: Sandbox, subject: str, *statements: Template) -> str:
    """A bucket with a policy."""
    policy = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    resources: Template = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": policy},
    }
    return Stack.create(sandbox, subject, template(resources)).resource("Bucket")


def _balancer(**properties: Any) -> Template:
    """A load balancer in a network of its own."""
    subnets = {
        f"Subnet{number}": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": f"10.99.{number}.0/24",
                "AvailabilityZone": {"Fn::Select": [number, {"Fn::GetAZs": ""}]},
            },
        }
        for number in (0, 1)
    }
    given = {"Scheme": "internal", "Subnets": [{"Ref": name} for name in subnets], **properties}
    return {**_VPC, **subnets, "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": given}}


def _write(service: str, **condition: Any) -> Template:
    """A statement that lets a service write below the id of the account."""
    resource = {"Fn::Sub": "${Bucket.Arn}/probe/AWSLogs/${AWS::AccountId}/*"}
    allowed: Template = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "s3:PutObject"}
    return allowed | {"Resource": resource, "Condition": condition}


@probe("access-logs-principal")
def access_logs_principal(sandbox: Sandbox) -> Verdict:
    """A load balancer whose access logs go to a bucket that lets in this principal only."""
    if sandbox.account.local:
        raise Undecided("local AWS writes no access logs")
    account = {"aws:SourceAccount": sandbox.account.id}
    bucket = _bucket(sandbox, "access-logs", _write(_BALANCERS, StringEqualsIfExists=account))
    attributes = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": bucket, "access_logs.s3.prefix": "probe"}
    logged = _balancer(LoadBalancerAttributes=[{"Key": key, "Value": value} for key, value in attributes.items()])
    try:
        Stack.create(sandbox, "access-logged", template(logged))
    except (ClientError, Unavailable) as error:
        if "Access Denied" not in str(error):
            raise
        return refuted(str(error))
    return decided(bool(_files(sandbox, bucket)), "the load balancer has access logs, and has tried to write")


@probe("flow-log-with-policy")
def flow_log_with_policy(sandbox: Sandbox) -> Verdict:
    """A flow log by a caller without permissions for the bucket."""
    if sandbox.account.local:
        raise Undecided("local AWS does not look whether flow logs may be delivered")
    account = {"aws:SourceAccount": sandbox.account.id}
    acl: Template = {
        "Effect": "Allow",
        "Principal": {"Service": _DELIVERY},
        "Action": "s3:GetBucketAcl",
        "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]},
        "Condition": {"StringEquals": account},
    }
    bucket = _bucket(sandbox, "flow-logs", _write(_DELIVERY, StringEquals=account), acl)
    before = sandbox.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    stack = Stack.create(sandbox, "flow-logged", template(_VPC))
    actions = ("ec2:CreateFlowLogs", "logs:CreateLogDelivery", "logs:DeleteLogDelivery")
    caller = Caller.with_permissions(sandbox, "flow-logger", allow(*actions))
    answers: list[dict[str, Any]] = []

    def create() -> None:
        given = {"ResourceIds": [stack.resource("Vpc")], "ResourceType": "VPC", "TrafficType": "ALL"}
        destination = f"arn:{sandbox.account.partition}:s3:::{bucket}/probe/"
        answers.append(
            caller.client("ec2").create_flow_logs(**given, LogDestinationType="s3", LogDestination=destination)
        )

    if message := caller.may(create, "s3:"):
        return refuted(message)
    if failures := answers[0].get("Unsuccessful"):
        return refuted(str(failures[0]["Error"]["Message"]))
    sandbox.client("ec2").delete_flow_logs(FlowLogIds=answers[0]["FlowLogIds"])
    kept = sandbox.client("s3").get_bucket_policy(Bucket=bucket)["Policy"] == before
    return decided(kept, f"it was created, and the policy of the bucket is {'the same' if kept else 'another one'}")


@probe("web-acl-at-once")
def web_acl_at_once(sandbox: Sandbox) -> Verdict:
    """A stack with a web ACL, its association and its log, of the shapes that `waf.yaml` has."""
    name = sandbox.name("acl")
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "probe"}
    acl = {"Name": name, "Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": visible}
    arn = {"Fn::GetAtt": ["Acl", "Arn"]}
    group = {"Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Log}"}
    associated = {"WebACLArn": arn, "ResourceArn": {"Ref": "Balancer"}}
    resources: Template = {
        **_balancer(),
        "Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": acl},
        "Association": {"Type": "AWS::WAFv2::WebACLAssociation", "Properties": associated},
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"aws-waf-logs-{name}"}},
        "Logging": {
            "Type": "AWS::WAFv2::LoggingConfiguration",
            "Properties": {"ResourceArn": arn, "LogDestinationConfigs": [group]},
        },
    }
    try:
        stack = Stack.create(sandbox, "web-acl", template(resources))
    except (ClientError, Unavailable) as error:
        return refuted(str(error))
    return proved(f"the stack is in {stack.describe()['StackStatus']}")


def _files(sandbox: Sandbox, bucket: str) -> list[str]:
    """The files in a bucket, which are deleted: otherwise the clean-up could not delete the bucket."""
    s3 = sandbox.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    return keys
