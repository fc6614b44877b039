"""The deploy role of an environment keeps what the next release needs to take away what the answers have given up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.aws.cloudformation.kept_statements import with_kept_statements
from scaffold.service.service import read
from tests.deploy.services import client, environment_stack, of_environment, release_stack, run
from tests.deploy.test_domains import STACK, put, tags
from tests.kits import ROOT
from tests.service.conftest import function_of

TEMPLATE = """\
Parameters:
  AppName: {Type: String}
  EnvironmentName: {Type: String}
  DomainName: {Type: String}
  HostedZoneId: {Type: String}
  TemplateDigest: {Type: String, Default: unknown}
Outputs:
  TemplateDigest: {Value: !Ref TemplateDigest}
Resources:
  OptionsPolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - {Sid: Records, Effect: Allow, Action: route53:ChangeResourceRecordSets,
             Resource: !Sub 'arn:${AWS::Partition}:route53:::hostedzone/${HostedZoneId}',
             Condition: {'ForAllValues:StringLike': {'route53:ChangeResourceRecordSetsNormalizedRecordNames':
             [!Ref DomainName, !Sub '_*.${DomainName}']} } }
          - {Sid: Look, Effect: Allow, Action: route53:GetChange, Resource: '*'}
"""


def allowed_names(service: Path) -> set[str]:
    """The names whose records the deploy role may change, and the zones."""
    stack = environment_stack(read(service).app_name, "prod", "deploy-options")
    (policy,) = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    iam, arn = client("iam"), policy["PhysicalResourceId"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]["Statement"]
    assert [one["Action"] for one in found].count("route53:GetChange") == 1
    records = [one for one in found if one["Action"] == "route53:ChangeResourceRecordSets"]
    return {
        text
        for one in records
        for text in (one["Resource"].rpartition("/")[2], *next(iter(next(iter(one["Condition"].values())).values())))
    }


def options(*names: str) -> str:
    """A template with the statements that answers add."""
    folder = ROOT / "includes/deploy-policies"
    head = TEMPLATE.partition("          - ")[0]
    return head + "".join((folder / f"{name}.yaml").read_text() for name in names)


def test_an_answer_may_be_added_while_another_one_is_given_up() -> None:
    given = {"AppName": "shop", "EnvironmentName": "dev", "DomainName": "a.example.com", "HostedZoneId": "Z1"}
    wanted, before = options("domain", "waf", "log-delivery"), options("domain", "flow-logs", "log-delivery")
    body = with_kept_statements(wanted, given, before, given)
    for action in ("ec2:CreateFlowLogs", "logs:CreateLogDelivery", "acm:RequestCertificate"):
        assert body.count(action) == 1
    # The preflight finds all of the template in what is deployed.
    content = function_of("preflight.py", "content")
    assert set(content(wanted)) <= set(content(body))
    assert with_kept_statements(wanted, given, body, given) == body
    assert with_kept_statements(wanted, given, wanted, given) == wanted


@pytest.mark.slow
def test_the_deploy_role_may_delete_the_record_of_a_name_until_the_release_has_replaced_it(service: Path) -> None:
    """CloudFormation deletes it after the update, and leaves it in the zone where it may not."""
    app = read(service).app_name
    (service / "infrastructure" / "deploy-options.yaml").write_text(TEMPLATE)

    def answer(name: str, zone: str) -> None:
        for environment in ("dev", "prod"):
            document = json.loads(of_environment(app, environment))
            document["Parameters"] |= {"DomainName": name, "HostedZoneId": zone}
            (service / "infrastructure" / environment / "deploy-options.json").write_text(json.dumps(document))
        for environment in ("dev", "prod"):
            put(service, name=name, zone=zone, environment=environment)

    def release() -> None:
        given = json.loads((service / "infrastructure/prod/domain.json").read_text())["Parameters"]
        release_stack(environment_stack(app, "prod", "domain"), STACK, given, Tags=tags(service))

    old, new = {"a.example.com", "_*.a.example.com", "Z1"}, {"b.example.org", "_*.b.example.org", "Z2"}
    answer("a.example.com", "Z1")
    run(service)
    release()
    answer("b.example.org", "Z2")
    run(service)
    assert allowed_names(service) == old | new
    assert not run(service, plan=True).changed
    release()
    run(service)
    assert allowed_names(service) == new
    assert not run(service, plan=True).changed
