"""A stack whose answer was turned off is deleted, unless something keeps it, and the result says what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.aws import codepipeline
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import OPTIONAL_KINDS, Deployer
from scaffold.views.deploy import text
from tests.deploy.services import BUILD, Wire, all_stacks, client, commit, of_environment, release_stack, run
from tests.deploy.test_boundaries import deploy_role

LOGS = "  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub '/${AppName}/pipeline/scan'}}\n"
TABLE = """\
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: Id, AttributeType: S}]
      KeySchema: [{AttributeName: Id, KeyType: HASH}]
"""
ROLE = """\
  Role:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: {Fn::ImportValue: %s}
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: codebuild.amazonaws.com}, Action: 'sts:AssumeRole'}]
      Policies:
        - PolicyName: wake
          PolicyDocument:
            Version: '2012-10-17'
            Statement: [{Effect: Allow, Action: 'ecs:UpdateService', Resource: '*'}]
"""
DATA_ROLE = """\
Parameters:
  AppName: {Type: String}
  EnvironmentName: {Type: String}
  TemplateDigest: {Type: String, Default: unknown}
Outputs:
  TemplateDigest: {Value: !Ref TemplateDigest}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub ${AppName}-${EnvironmentName}-deploy-data
      Path: !Sub /${AppName}/deploy/
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: cloudformation.amazonaws.com}, Action: 'sts:AssumeRole'}]
      ManagedPolicyArns: [!Ref %(policy)s]
  %(policy)s:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Path: !Sub /${AppName}/
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: '%(action)s', Resource: !Sub 'arn:aws:any:${AppName}-${EnvironmentName}'}]
"""
ON, OFF = ({"policy": policy, "action": action} for policy, action in (("Database", "rds:*"), ("Data", "sqs:*")))


def turned_off(service: Path, resources: str = LOGS, kind: str = "scans") -> str:
    """Deploy with the optional stack, then commit its removal; return its name."""
    app = read(service).app_name
    configuration = {"Parameters": {"AppName": app}, "Tags": {names.TAG_SERVICE: app}}
    template, settings = (service / "infrastructure" / f"{kind}.{ending}" for ending in ("yaml", "json"))
    template.write_text(BUILD.replace("Builds", "Others") + resources)
    settings.write_text(json.dumps(configuration))
    commit(service)
    run(service)
    template.unlink(), settings.unlink()
    commit(service)
    return f"{app}-{kind}"


def exists(stack: str) -> bool:
    return stack in {one["StackName"] for one in all_stacks()}


def test_a_stack_whose_answer_was_turned_off_is_deleted_with_its_logs(deployed: Path) -> None:
    stack = turned_off(deployed)
    plan = run(deployed, plan=True)
    assert f"  delete  stack {stack}\n" in text(plan)
    (step,) = [one for one in plan.steps if one.name == stack]
    assert (step.action, [one.type for one in step.changes]) == (
        "delete",
        ["AWS::CloudFormation::Stack", "AWS::Logs::LogGroup"],
    )
    assert exists(stack)
    assert "scans" not in text(run(deployed))
    assert not exists(stack)
    assert not run(deployed).changed


def test_who_may_not_delete_it_gets_the_command(deployed: Path, wire: Wire) -> None:
    stack = turned_off(deployed)
    wire.refuse("DeleteStack", "AccessDenied", "User is not authorized to perform: cloudformation:DeleteStack")
    result = run(deployed)
    assert [(one.name, one.reason) for one in result.left_stacks] == [(stack, "denied")]
    command = f"delete-stack --region {result.region} --stack-name {stack}`"
    assert f"{command} does, with the policy for destroying" in text(result)
    assert {one.action for one in result.steps if one.name == stack} == {"none"}
    assert exists(stack)


@pytest.mark.parametrize("kept", ["data", "protected", "pipeline"])
def test_a_stack_stays_and_is_named_with_the_remedy(deployed: Path, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    stack = turned_off(deployed, TABLE if kept == "data" else LOGS)
    if kept == "protected":
        client("cloudformation").update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    if kept == "pipeline":
        # The small service has no pipeline: a release of an earlier commit would create the stack again.
        stages = [{"stageName": "SelfUpdate", "actionStates": [{"actionName": "Scans"}]}]
        monkeypatch.setattr(codepipeline, "stage_states", lambda *_: stages)
    for options in ({"plan": True}, {}, {}):
        result = run(deployed, **options)
        (left,) = result.left_stacks
        assert (left.name, left.reason) == (stack, kept)
        assert f"The stack {stack} is left over from an answer" in text(result)
        assert f"--stack-name {stack}` deletes it" in text(result) or kept == "pipeline"
    assert exists(stack)


def test_a_stack_of_another_owner_stays_and_is_not_named(deployed: Path) -> None:
    stack = f"{read(deployed).app_name}-scans"
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    client("cloudformation").create_stack(StackName=stack, TemplateBody=body)
    result = run(deployed)
    assert (result.left_stacks, stack in text(result)) == ((), False)
    assert exists(stack)


def test_the_actions_of_optional_stacks_have_these_names() -> None:
    assert {kind.action for kind in OPTIONAL_KINDS if kind.deployer is Deployer.ITSELF} == {
        "Migrations",
        "Scans",
        "Updates",
        "Wake",
    }


def test_a_stack_that_a_person_deploys_stays_with_the_command_that_deletes_it(deployed: Path) -> None:
    """Others may import from it until the next release."""
    stack = turned_off(deployed, kind="build-vpc")
    for options in ({"plan": True}, {}):
        result = run(deployed, **options)
        assert [(one.name, one.reason) for one in result.left_stacks] == [(stack, "person")]
        assert f"--stack-name {stack}` deletes it once no stack imports from it" in text(result)
    assert exists(stack)


def test_the_stack_of_an_environment_goes_once_its_stage_has_left_it(
    deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = read(deployed).app_name
    tags = {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: "dev"}
    template, settings = deployed / "infrastructure/waf.yaml", deployed / "infrastructure/dev/waf.json"
    template.write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}\n")
    settings.write_text(json.dumps({"Parameters": {"AppName": app, "EnvironmentName": "dev"}, "Tags": tags}))
    commit(deployed)
    run(deployed)
    stack = f"{app}-dev-waf"
    assert exists(stack)
    template.unlink(), settings.unlink()
    commit(deployed)
    stages = [{"stageName": "Dev", "actionStates": [{"actionName": "Waf"}]}]
    with monkeypatch.context() as patched:
        patched.setattr(codepipeline, "stage_states", lambda *_: stages)
        assert [(one.name, one.reason) for one in run(deployed).left_stacks] == [(stack, "pipeline")]
    assert exists(stack)
    assert run(deployed).left_stacks == ()
    assert not exists(stack)


def test_what_its_roles_may_ends_with_the_answer(deployed: Path) -> None:
    """A boundary keeps what roles of other stacks use; those of this one are not used any more."""
    app = read(deployed).app_name
    allowed = "'sns:Publish', 'ecs:UpdateService'"
    commit(deployed, infrastructure__permissions_yaml=deploy_role(allowed))
    run(deployed)
    stack = turned_off(deployed, ROLE % f"{app}-permissions-BoundaryArn", kind="wake")
    commit(deployed, infrastructure__permissions_yaml=deploy_role("'sns:Publish'"))
    run(deployed)
    assert not exists(stack)


def test_a_database_is_named_with_the_way_to_delete_it_and_keeps_the_permissions_for_that(deployed: Path) -> None:
    app = read(deployed).app_name
    tags = {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: "dev"}
    settings = json.dumps({"Parameters": {"AppName": app, "EnvironmentName": "dev"}, "Tags": tags})
    others = settings.replace('"dev"', '"prod"')
    database = "Resources: {Topic: {Type: AWS::SNS::Topic}}\nOutputs: {ClusterName: {Value: a-cluster}}\n"
    files = {"database_yaml": database, "data-role_yaml": DATA_ROLE % ON}
    files |= {f"dev__{kind}_json": settings for kind in ("database", "data-role")} | {"prod__data-role_json": others}
    commit(deployed, **{f"infrastructure__{path}": content for path, content in files.items()})
    run(deployed)
    stack = f"{app}-dev-database"
    cloudformation = client("cloudformation")
    cloudformation.update_stack(StackName=stack, TemplateBody=database)
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    (deployed / "infrastructure/database.yaml").unlink(), (deployed / "infrastructure/dev/database.json").unlink()
    commit(deployed, **{"infrastructure__data-role_yaml": DATA_ROLE % OFF})
    for repeated in (False, True):
        result = run(deployed)
        assert [(one.name, one.reason, one.data) for one in result.left_stacks] == [(stack, "database", ("a-cluster",))]
        assert permissions(app) == {"rds:*", "sqs:*"}
        assert result.changed is not repeated
    said = text(result).partition(f"The stack {stack} is left over from an answer")[2]
    commands = [
        "--no-deletion-protection --db-cluster-identifier a-cluster`",
        "update-termination-protection",
        "delete-stack",
    ]
    assert sorted(commands, key=said.index) == commands
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert run(deployed).left_stacks == ()
    assert permissions(app) == {"sqs:*"}
    assert not run(deployed).changed


@pytest.mark.slow
def test_the_role_of_the_data_keeps_what_the_next_release_needs_to_take_something_away(deployed: Path) -> None:
    """The alarm of a queue is deleted after the update of its stack."""
    app = read(deployed).app_name
    given = {"AppName": app, "EnvironmentName": "dev"}
    tags = {names.TAG_SERVICE: app, names.TAG_ENVIRONMENT: "dev"}

    def answer(policy: str, action: str, data: str) -> None:
        files = {"data-role_yaml": DATA_ROLE % {"policy": policy, "action": action}, "data_yaml": data}
        files |= {f"dev__{kind}_json": of_environment(app, "dev") for kind in ("data-role", "data")}
        files |= {"prod__data-role_json": of_environment(app, "prod")}
        commit(deployed, **{f"infrastructure__{path}": content for path, content in files.items()})
        run(deployed)

    def release(data: str) -> None:
        release_stack(f"{app}-dev-data", data, given, Tags=[{"Key": key, "Value": one} for key, one in tags.items()])

    queue, table = (
        f"Parameters: {{AppName: {{Type: String}}, EnvironmentName: {{Type: String}}}}\nResources: {{{one}}}\n"
        for one in ("Alarm: {Type: AWS::SNS::Topic}", "Table: {Type: AWS::SNS::Topic}")
    )
    answer("Data", "sqs:*", queue)
    release(queue)
    answer("Data", "dynamodb:*", table)
    assert permissions(app) == {"sqs:*", "dynamodb:*"}
    assert not run(deployed).changed
    release(table)
    run(deployed)
    assert permissions(app) == {"dynamodb:*"}


def permissions(app: str) -> set[str]:
    """What the role of dev's data may do, with resources whose names are its own."""
    iam, found = client("iam"), set()
    for policy in iam.list_attached_role_policies(RoleName=f"{app}-dev-deploy-data")["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
        assert {one["Resource"] for one in document["Statement"]} == {f"arn:aws:any:{app}-dev"}
        found |= {one["Action"] for one in document["Statement"]}
    return found
