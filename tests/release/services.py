"""A small pipeline: a build that exports a version, a stack in dev, and in prod an approval and another stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scaffold.commands import decision, deploy, retry, status
from scaffold.commands import releases as list_command
from scaffold.commands import rollback as rollback_command
from scaffold.commands.decision import DecisionOptions
from scaffold.commands.deploy import DeployOptions
from scaffold.commands.releases import ReleasesOptions
from scaffold.commands.retry import RetryOptions
from scaffold.commands.rollback import RollbackOptions
from scaffold.commands.status import StatusOptions
from scaffold.console.console import Console
from scaffold.deployment.approval import Approval, Decision
from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.releases import ReleasesResult
from scaffold.deployment.retry import RetryResult
from scaffold.deployment.rollback import RollbackResult
from scaffold.deployment.status import StatusResult
from scaffold.iam.policies import as_list
from scaffold.views import releases
from scaffold.views import rollback as rollback_view
from scaffold.views import status as status_view
from tests.deploy.services import Wire, client

# For waiters: looks often, and for a minute.
PATIENT = {"Delay": 0.2, "MaxAttempts": 300}
ROOT = Path(__file__).resolve().parents[2]
BUILD = """\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  AppName: {Type: String}
Outputs:
  RootCommit: {Value: {Fn::ImportValue: !Sub '${AppName}-foundation-RootCommit'}}
Resources:
  Artifacts: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${AppName}-artifacts'}}
  Project:
    Type: AWS::CodeBuild::Project
    Properties:
      Name: !Sub ${AppName}-build
      ServiceRole: !Sub arn:aws:iam::${AWS::AccountId}:role/build
      Artifacts: {Type: CODEPIPELINE}
      Environment: {Type: LINUX_CONTAINER, ComputeType: BUILD_GENERAL1_SMALL, Image: 'aws/codebuild/standard:7.0'}
      Source:
        Type: CODEPIPELINE
        BuildSpec: |
          version: 0.2
          env:
            shell: bash
            exported-variables: [IMAGE_TAG, RELEASE_NAME, CHANGED, SUMMARY]
          phases:
            build:
              commands:
                - export IMAGE_TAG=$(cat version.txt)
                - if [ -f release.txt ]; then export RELEASE_NAME=$(cat release.txt); fi
                - if [ -f plan.env ]; then . ./plan.env; fi
"""

PIPELINE = """\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  AppName: {Type: String}
Outputs:
  RootCommit: {Value: {Fn::ImportValue: !Sub '${AppName}-foundation-RootCommit'}}
Resources:
  PushRule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.codecommit]
        resources: [!Sub 'arn:aws:codecommit:${AWS::Region}:${AWS::AccountId}:${AppName}']
      Targets:
        - Id: pipeline
          Arn: !Sub arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:${AppName}
          RoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/push
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    DependsOn: PushRule
    Properties:
      Name: !Ref AppName
      PipelineType: V2
      ExecutionMode: QUEUED
      RoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/pipeline
      ArtifactStore: {Type: S3, Location: !Sub '${AppName}-artifacts'}
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, Version: '1'}
              Namespace: Source
              OutputArtifacts: [{Name: Source}]
              Configuration: {RepositoryName: !Ref AppName, BranchName: main, PollForSourceChanges: 'false'}
        - Name: Build
          Actions:
            - Name: Build
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}
              Namespace: Build
              InputArtifacts: [{Name: Source}]
              Configuration: {ProjectName: !Sub '${AppName}-build'}
        - Name: Dev
          Actions:
            - Name: Environment
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              InputArtifacts: [{Name: Source}]
              Configuration:
                ActionMode: CREATE_UPDATE
                StackName: !Sub ${AppName}-dev-environment
                TemplatePath: Source::infrastructure/environment.yaml
                TemplateConfiguration: Source::infrastructure/environment.json
        - Name: Prod
          Actions:
            - Name: Approval
              RunOrder: 1
              ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}
            - Name: Environment
              RunOrder: 2
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              InputArtifacts: [{Name: Source}]
              Configuration:
                ActionMode: CREATE_UPDATE
                StackName: !Sub ${AppName}-prod-environment
                TemplatePath: Source::infrastructure/environment.yaml
                TemplateConfiguration: Source::infrastructure/environment.json
"""

# As in a generated service: nothing of production changes before its approval, which is skipped where nothing would.
PLANNED = """\
        - Name: Plan-Prod
          Actions:
            - Name: Plan
              ActionTypeId: {Category: Test, Owner: AWS, Provider: CodeBuild, Version: '1'}
              Namespace: PlanProd
              InputArtifacts: [{Name: Source}]
              Configuration: {ProjectName: !Sub '${AppName}-build'}
        - Name: Approve-Prod
          BeforeEntry:
            Conditions:
              - Result: SKIP
                Rules:
                  - Name: Changed
                    RuleTypeId: {Category: Rule, Owner: AWS, Provider: VariableCheck, Version: '1'}
                    Configuration: {Variable: '#{PlanProd.CHANGED}', Operator: EQ, Value: 'yes'}
          Actions:
            - Name: Approval
              ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}
        - Name: Prod
          Actions:
"""

ENVIRONMENT = """\
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""
# Nothing exports it.
IMPORTING = ENVIRONMENT + "Outputs:\n  Missing: {Value: !ImportValue %s}\n"


def actions(name: str) -> set[str]:
    """The actions that a policy of docs/ allows."""
    statements = json.loads((ROOT / "docs" / f"{name}.json").read_text())["Statement"]
    return {action for one in statements for action in as_list(one["Action"])}


def release(root: Path) -> DeployResult:
    """Deploy and wait."""
    return deploy.run(DeployOptions(root, wait=True), Console())


def decide(root: Path, kind: type[Decision] = Approval, **options: Any) -> Decision:
    """Approve or reject."""
    return decision.run(DecisionOptions(root, **options), kind, Console(), releases.describe)


def try_again(root: Path, **options: Any) -> RetryResult:
    """Retry a stage."""
    return retry.run(RetryOptions(root, **options), Console())


def look(root: Path, **options: Any) -> StatusResult:
    """The status."""
    return status.run(StatusOptions(root, **options), Console(), status_view.text)


def list_releases(root: Path, environment: str, **options: Any) -> ReleasesResult:
    """The past releases."""
    return list_command.run(ReleasesOptions(environment, root, **options), Console())


def roll_back(root: Path, environment: str | None = None, **options: Any) -> RollbackResult:
    """Roll an environment back."""
    options = {"yes": True, **options}
    return rollback_command.run(RollbackOptions(root, environment, **options), Console(), rollback_view.describe)


def forget_successes(wire: Wire) -> None:
    """List no execution that succeeded in a stage, as AWS does after a change of the pipeline's structure."""
    wire.touched["ListPipelineExecutions"] = lambda parsed: (
        parsed["pipelineExecutionSummaries"].clear() if "succeededInStage" in str(wire.requests[-1]["body"]) else None
    )


def stage(app: str, name: str) -> dict[str, Any]:
    """The state of a stage of a service's pipeline."""
    states = client("codepipeline").get_pipeline_state(name=app)["stageStates"]
    (found,) = [one for one in states if one["stageName"] == name]
    return found
