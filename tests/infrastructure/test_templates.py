"""The stacks fit together, and every template is readable and within AWS's limits."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.service import names, project_names
from scaffold.service.stack_kinds import ENVIRONMENT, NETWORK, SERVICE, STACK_KINDS, Deployer, StackId, stack_ids
from tests.infrastructure.iam import allowed, statements_of
from tests.infrastructure.regions import longest_regions, moved, size
from tests.infrastructure.rules import every, walk
from tests.infrastructure.stacks import ACCOUNT, KINDS, REGION, ROOT_COMMIT, Stacks, environments, load, one
from tests.infrastructure.variants import (
    ALL_ANSWERS,
    BUILD_VPC,
    DATA,
    DOMAIN,
    FEW,
    FREEZE,
    LONGEST_APP,
    LONGEST_ENVIRONMENT,
)
from tests.kits import ROOT
from tests.service.conftest import function_of

SOURCE = ROOT / "template" / "infrastructure"
TIMES = ("windows", "freezes")
Answers = dict[str, Any]
# What the actions with projects of their own run; the merge gate runs nothing of the source.
#: What strategy gates export.
OF_THE_GATE = {"PAUSE_MINUTES", "PRIMARY_WEIGHT", "ALTERNATE_WEIGHT"}
CHECK_OF = {
    "Build": "begin_release",
    "Compare": None,
    "Plan": "plan_release",
    "Release": "complete_release",
    "Tests": "smoke_test",
    "LoadTest": "load_test",
    "Migrate": "migrate",
    "Wake": "wake",
}
# Of each check.
VARIABLES = {
    "alarm_check": {"ENVIRONMENT_NAME"},
    "begin_release": {"COMMIT", "EXECUTION"},
    "complete_release": {"EXECUTION", "RELEASE_NAME"},
    "open_pull_request": {"CHANGED", "COMMIT", "ENVIRONMENT_NAME", "RELEASE_NAME"},
    "migrate": {"ENVIRONMENT_NAME"},
    "move_branch": {"COMMIT", "ENVIRONMENT_NAME", "EXECUTION"},
    "entry_check": {"ENVIRONMENT_NAME", "EXECUTION"},
    "load_test": {"ENVIRONMENT_NAME", "SERVICE_URL", "EXPECTED_VERSION"},
    "plan_check": {"ENVIRONMENT_NAME", "EXECUTION", "IMAGE_URI", "IMAGE_TAG", "STATE"},
    "plan_release": {"ENVIRONMENT_NAME", "EXECUTION", "COMMIT", "IMAGE_URI", "IMAGE_TAG", "RELEASE_NAME"},
    "pause_minutes": {"EXECUTION", "LONGEST_PAUSE", "RUNNING"},
    "preflight": {"APP_NAME", "INFRASTRUCTURE", "PROTECTED"},
    "smoke_test": {"ENVIRONMENT_NAME", "SERVICE_URL", "EXPECTED_VERSION"},
    "strategy_gate": {"ENVIRONMENT_NAME", "PRODUCTION_RULE", "TARGET_GROUP"},
    "wake": {"ENVIRONMENT_NAME", "MINUTES"},
}


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_every_import_is_exported_by_an_earlier_stack(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    for stack in stacks_of(**answers).values():
        stack.resources  # noqa: B018 (resolving fails for a missing export)
        own = stack.name.rpartition(f"-{stack.kind}")[0]
        app = one(stacks_of(**answers), "pipeline").parameters["AppName"]
        for export in stack.imported:
            exporter = export.rpartition("-")[0]
            assert exporter.removeprefix(f"{own}-") in KINDS or exporter.removeprefix(f"{app}-") in KINDS


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_every_export_is_named_after_its_stack_and_unique(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    exports = [(stack, name) for stack in stacks_of(**answers).values() for name in stack.exports]
    for stack, name in exports:
        assert name.startswith(f"{stack.name}-")
    assert len({name for _, name in exports}) == len(exports)


def test_the_outputs_of_the_foundation(stacks_of: Callable[..., Stacks]) -> None:
    assert set(one(stacks_of(), "foundation").outputs) == {
        "ApproverArn",
        "ArtifactBucketArn",
        "ArtifactBucketName",
        "ArtifactKeyArn",
        "BranchProtectionArn",
        "NotificationTopicArn",
        "ReadArtifactsPolicyArn",
        "RepositoryArn",
        "RepositoryName",
        "RepositoryUri",
        "RootCommit",
        "TemplateDigest",
    }


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_every_stack_shows_the_root_commit_of_the_service(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    stacks = stacks_of(**answers)
    assert {name: stack.outputs.get(names.ROOT_COMMIT) for name, stack in stacks.items()} == dict.fromkeys(
        stacks, ROOT_COMMIT
    )


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_what_scaffold_deploys_has_a_digest_that_every_other_deployer_leaves_unknown(
    stacks_of: Callable[..., Stacks], answers: Answers
) -> None:
    for stack in stacks_of(**answers).values():
        (kind,) = [kind for kind in STACK_KINDS if kind.name == stack.kind]
        by_scaffold = kind.deployer is not Deployer.PIPELINE
        assert (names.TEMPLATE_DIGEST in stack.template["Parameters"]) is by_scaffold
        assert (stack.outputs.get(names.TEMPLATE_DIGEST) == names.UNKNOWN_DIGEST) is by_scaffold
        # The pipeline sets it, as CloudFormation might keep the previous value.
        given = stack.configuration.get("Parameters", {}).get(names.TEMPLATE_DIGEST)
        assert given == (names.UNKNOWN_DIGEST if kind.deployer is Deployer.ITSELF else None)


def test_the_stage_that_updates_the_pipelines_own_stacks_has_the_name_that_deploy_knows(
    stacks_of: Callable[..., Stacks],
) -> None:
    stacks = stacks_of(
        customize=True, nightly_scan=True, updates="renovate", office_hours="MON-FRI 07-19 UTC", database="postgres"
    )
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    (stage,) = [stage for stage in pipeline["Stages"] if stage["Name"] == names.SELF_UPDATE_STAGE]
    updated = {action["Configuration"]["StackName"].removeprefix("hello-service-") for action in stage["Actions"]}
    assert updated == {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF}


@pytest.mark.parametrize(
    ("commit", "accepted"),
    [
        ("0" * 40, True),
        ("0123456789abcdef" * 4, True),
        ("", False),
        ("0" * 39, False),
        ("0" * 50, False),
        ("A" * 40, False),
    ],
)
def test_the_root_commit_is_a_commit_id(stacks_of: Callable[..., Stacks], commit: str, accepted: bool) -> None:
    declared = one(stacks_of(), "foundation").template["Parameters"][names.ROOT_COMMIT]
    assert "Default" not in declared
    assert bool(re.fullmatch(declared["AllowedPattern"], commit)) is accepted


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_parameters_have_values_that_their_declaration_allows(
    stacks_of: Callable[..., Stacks], answers: Answers
) -> None:
    for stack in stacks_of(**answers).values():
        declared = stack.template.get("Parameters", {})
        assert set(stack.parameters) <= set(declared)
        assert all(isinstance(value, str) for value in stack.parameters.values())
        for name, parameter in declared.items():
            value = stack.parameters.get(name, parameter.get("Default"))
            assert value is not None, f"{stack.name} has no value for {name}"
            assert str(value) in parameter.get("AllowedValues", [str(value)])
            if "AllowedPattern" in parameter:
                assert re.fullmatch(parameter["AllowedPattern"], str(value))
            if parameter["Type"] == "Number":
                assert parameter.get("MinValue", 0) <= float(value) <= parameter.get("MaxValue", 10**9)


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_the_pipeline_refers_to_files_stacks_and_variables_that_exist(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks], answers: Answers
) -> None:
    root, stacks = generated(**answers), stacks_of(**answers)
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    variables = {
        "Build": {"IMAGE_URI", "IMAGE_TAG", "IMAGE_DIGEST", "RELEASE_COMMIT", "RELEASE_NAME"},
        "Gate": {"CHANGED", "INFRASTRUCTURE", "SUMMARY"},
        "Source": {"CommitId", "BranchName"},
        "codepipeline": {"PipelineExecutionId"},
    }
    plan = yaml.safe_load((root / "config/buildspecs/plan.yml").read_text())["env"]["exported-variables"]
    (protected,) = re.findall(r'"PROTECTED", "value": "([^"]+)"', (root / "infrastructure/pipeline.yaml").read_text())
    for stage in pipeline["Stages"]:
        for namespace, variable in re.findall(r"#\{(\w+)\.(\w+)\}", json.dumps(stage.get("BeforeEntry", {}))):
            assert variable in variables[namespace]
        for action in sorted(stage["Actions"], key=lambda action: action.get("RunOrder", 1)):
            configuration = action.get("Configuration", {})
            for key in {"TemplatePath", "TemplateConfiguration"} & set(configuration):
                assert (root / configuration[key].removeprefix("Source::")).is_file()
            for namespace, variable in re.findall(r"#\{(\w+)\.(\w+)\}", json.dumps(configuration)):
                assert variable in variables[namespace], f"{action['Name']} uses #{{{namespace}.{variable}}}"
            if "StackName" in configuration:
                assert configuration["StackName"] in stacks
                if "Namespace" in action:
                    variables[action["Namespace"]] = set(stacks[configuration["StackName"]].outputs)
            if "EnvironmentVariables" in configuration:
                given = {item["name"]: item["value"] for item in json.loads(configuration["EnvironmentVariables"])}
                check = given.pop("CHECK", None) or given.pop("STEP", CHECK_OF.get(action["Name"], ""))
                if check == "plan_release":
                    variables[action["Namespace"]] = set(plan)
                if check in ("preflight", "strategy_gate") and "Namespace" in action:
                    gate = yaml.safe_load((root / "config/buildspecs/checks.yml").read_text())["env"]
                    variables[action["Namespace"]] = set(gate["exported-variables"])
                if check == "open_pull_request":
                    step = yaml.safe_load((root / "config/buildspecs/release.yml").read_text())["env"]
                    variables[action["Namespace"]] = set(step["exported-variables"])
                    assert variables[action["Namespace"]] == set(step["variables"])
                assert check is None or (root / f"config/scripts/{check}.py").is_file()
                expected = VARIABLES[check] if check else {"SOURCE_COMMIT"}
                # One build makes several checks: the check before entry is part of the plan's or of the strategy gate.
                for name, together in (
                    ("STATE", "plan_check"),
                    ("BEFORE", "entry_check"),
                    ("RUNNING", "pause_minutes"),
                ):
                    expected = expected | (VARIABLES[together] if name in given else set())
                if check == "preflight" and (root / "infrastructure/database.yaml").is_file():
                    expected = expected | {"DATABASES"}
                if check == "plan_release":
                    expected = expected | ({"LONGEST_PAUSE"} & set(given))
                if check in ("plan_release", "plan_check") or "STATE" in given:
                    assert ("PROTECT" in given) == (given["ENVIRONMENT_NAME"] in protected)
                    expected = expected | ({"PROTECT"} & set(given))
                assert set(given) == expected | ({"BEFORE", "BRANCH", "FREEZES", "ON_FAILURE", "STAGE"} & set(given))


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_stages_are_in_order_of_promotion_and_need_the_approval_of_the_answers(
    stacks_of: Callable[..., Stacks], answers: Answers
) -> None:
    ((_, pipeline),) = one(stacks_of(**answers), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    order = [name.strip().capitalize() for name in answers.get("environments", "dev,staging,prod").split(",")]
    production = order.index(answers["production"].capitalize()) if "production" in answers else len(order) - 1
    first_approved = {"none": len(order), "every": 0}.get(answers.get("approval", "production"), production)
    by_branches = answers.get("promotion") == "branches"
    moving = [name.capitalize() for name in answers.get("auto_promote", "").split(",")]
    waiting = [name for name in order[1:] if name not in moving] if by_branches else order[first_approved:]
    stages = {stage["Name"]: [action["Name"] for action in stage["Actions"]] for stage in pipeline["Stages"]}
    # Nothing of an environment with approval changes before the approval.
    data, database = "tables" in answers, "database" in answers
    own = [
        [
            *([f"Plan-{name}", f"Approve-{name}"] if name in waiting else []),
            *([f"Data-{name}"] if data or database else []),
            name,
        ]
        for name in order
    ]
    first = ["Source", "Gate", "Approve-Gate", "SelfUpdate", "Build"]
    assert list(stages) == [*first, *itertools.chain(*own)]
    firewall = ["Waf"] if answers.get("waf") == "managed" else []
    last_stacks = [*(["Migrate"] if database else []), *(["Domain"] if "domain_name" in answers else []), "Service"]
    deployments = [
        *("Network", "Environment", *firewall, "TaskDefinition", "StrategyGate", "Alarms"),
        *(*last_stacks, "Tests"),
    ]
    # An environment in an existing VPC has no network of its own.
    app, deployed = answers.get("app_name", "hello-service"), stacks_of(**answers)
    for index, name in enumerate(order):
        has_network = StackId(NETWORK, name.lower()).name(app) in deployed
        # A database is in the network, and its stage precedes.
        expected = deployments if has_network and not database else deployments[1:]
        frozen = index >= production and "freezes" in answers
        first_check = ["PlanCheck"] if name in waiting else ["EntryCheck"] if frozen else []
        # The branch moves before anything of its environment changes.
        moved = ["Branch"] if by_branches and name in moving else []
        if data or database:
            network = ["Network"] if database and has_network else []
            kept = [*(["Data"] if data else []), *(["Database", "ProtectDatabase"] if database else [])]
            assert stages[f"Data-{name}"] == [*first_check, *moved, *network, *kept]
        else:
            first_check += moved
        # What production runs is recorded and tagged, and no other environment.
        last = ["Release"] if index == production else []
        # Where people approve running tasks, all of these environments shift traffic.
        running = answers.get("approve_running") and name in waiting
        expected = [*expected[:-1], "EndPause", "Tests"] if running else expected
        if index < production and "office_hours" in answers:
            expected.insert(expected.index("Environment") + 1, "Wake")
        if name.lower() == answers.get("load_test"):
            last = ["LoadTest", *last]
        if index < production and "soak_minutes" in answers:
            last = [*last, "AlarmCheck"]
        assert stages[name] == [*first_check, *expected, *last]
        if name in waiting:
            planned = ["Plan", "PullRequest"] if by_branches else ["Plan"]
            assert (stages[f"Plan-{name}"], stages[f"Approve-{name}"]) == (planned, ["Approval"])
    # These do not need each other; the service needs all of them.
    groups = ({"Environment", "Wake"}, {"Waf", "TaskDefinition", "StrategyGate", "Alarms"}, {"Migrate", "Domain"})
    for stage in (stage for stage in pipeline["Stages"] if stage["Name"] in order):
        steps = [stages[stage["Name"]][0]]
        for name in stages[stage["Name"]][1:]:
            steps.append(steps[-1] if any({name, steps[-1]} <= together for together in groups) else name)
        orders = [action["RunOrder"] for action in stage["Actions"]]
        assert orders == [1 + list(dict.fromkeys(steps)).index(one) for one in steps]


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_a_stage_never_starts_two_builds_at_once(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    """A new account runs one at a time, and CodePipeline fails where another waits."""
    ((_, pipeline),) = one(stacks_of(**answers), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    for stage in pipeline["Stages"]:
        builds = Counter(
            action.get("RunOrder", 1)
            for action in stage["Actions"]
            if action["ActionTypeId"]["Provider"] == "CodeBuild"
        )
        assert set(builds.values()) <= {1}, (stage["Name"], builds)


def test_a_release_pauses_for_one_deployment_only(stacks_of: Callable[..., Stacks]) -> None:
    answers = {"environments": "dev,live", "deployment_strategy": "canary", "approve_running": True}
    stacks = stacks_of(**answers)
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    stages = {stage["Name"]: stage for stage in pipeline["Stages"]}
    (condition,) = stages["Approve-Live"]["BeforeEntry"]["Conditions"]
    assert condition["Rules"][0]["Configuration"]["Variable"] == "#{PlanLive.WAITS}"
    actions = {action["Name"]: action for action in stages["Live"]["Actions"]}
    minutes = {
        name: json.loads(actions[name]["Configuration"]["ParameterOverrides"])["PauseMinutes"]
        for name in ("Service", "EndPause")
    }
    assert minutes == {"Service": "#{LiveGate.PAUSE_MINUTES}", "EndPause": "0"}
    # As it is between two releases: the test rule leads somewhere, and nothing pauses.
    (live,) = [stack for name, stack in stacks.items() if name.endswith("-live-service")]
    ((_, service),) = live.of_type("AWS::ECS::Service")
    assert service["DeploymentConfiguration"]["LifecycleHooks"] == []
    (rule,) = [logical for logical, _ in live.of_type("AWS::ElasticLoadBalancingV2::ListenerRule")]
    assert rule == "TestRule"
    assert "TestListenerRule" in service["LoadBalancers"][0]["AdvancedConfiguration"]
    # Nor anything of it in an environment that does not shift traffic.
    (dev,) = [stack for name, stack in stacks.items() if name.endswith("-dev-service")]
    assert list(dev.of_type("AWS::ElasticLoadBalancingV2::ListenerRule")) == []
    assert "PauseMinutes" not in json.dumps(stages["Dev"])


def test_a_release_enters_no_environment_while_the_one_before_is_in_alarm(stacks_of: Callable[..., Stacks]) -> None:
    for approval, in_production in (("production", "PlanCheck"), ("none", "StrategyGate")):
        ((_, pipeline),) = one(stacks_of(approval=approval), "pipeline").of_type("AWS::CodePipeline::Pipeline")
        for name, before, action in (("Staging", "dev", "StrategyGate"), ("Prod", "staging", in_production)):
            (stage,) = [stage for stage in pipeline["Stages"] if stage["Name"] == name]
            asking = {one["Name"]: one["Configuration"].get("EnvironmentVariables", "") for one in stage["Actions"]}
            looking = [one for one, given in asking.items() if "BEFORE" in given]
            assert looking == [action]
            assert {"name": "BEFORE", "value": before} in json.loads(asking[action])
        (first,) = [stage for stage in pipeline["Stages"] if stage["Name"] == "Dev"]
        assert "BEFORE" not in json.dumps(first)


def test_a_release_soaks_in_each_environment_before_production(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(environments="dev,qa,live,dr", production="live", soak_minutes=30)
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    stages = {stage["Name"]: stage for stage in pipeline["Stages"]}
    assert [name for name, stage in stages.items() if "OnSuccess" in stage] == ["Dev", "Qa"]
    for name in ("Dev", "Qa"):
        (condition,) = stages[name]["OnSuccess"]["Conditions"]
        assert condition["Result"] == "ROLLBACK"
        assert 1 <= len(condition["Rules"]) <= 5
        assert {rule["Configuration"]["WaitTime"] for rule in condition["Rules"]} == {"30"}
        found = {
            properties["AlarmName"]
            for stack in stacks.values()
            for _, properties in stack.of_type("AWS::CloudWatch::Alarm")
        }
        watched = {rule["Configuration"]["AlarmName"] for rule in condition["Rules"]}
        # CodePipeline takes five; memory is the one that no user of the service notices.
        own = {alarm for alarm in found if alarm.startswith(f"hello-service-{name.lower()}-")}
        own -= {alarm for alarm in own if "--" in alarm}  # Those of data end when people have looked at it.
        assert own - watched == {f"hello-service-{name.lower()}-memory"}
        # The rules fail at their first look, so that nothing comes between it and the end of the alarms.
        last = max(stages[name]["Actions"], key=lambda action: action["RunOrder"])
        given = {one["name"]: one["value"] for one in json.loads(last["Configuration"]["EnvironmentVariables"])}
        assert (given["CHECK"], given["ENVIRONMENT_NAME"]) == ("alarm_check", name.lower())
    assert "alarm_check" not in json.dumps([stages["Live"], stages["Dr"]])
    for soaks, options in ((True, {"soak_minutes": 30}), (False, {})):
        role = statements_of(one(stacks_of(**options), "build"), "PipelineRole")
        assert allowed(role, "cloudwatch:DescribeAlarms", "*") == soaks


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_a_check_knows_whether_its_stage_is_rolled_back(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    ((_, pipeline),) = one(stacks_of(**answers), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    checks = {"alarm_check", "entry_check", "migrate", "move_branch", "plan_check", "strategy_gate", "wake"}
    for stage in pipeline["Stages"]:
        for action in stage["Actions"]:
            text = action.get("Configuration", {}).get("EnvironmentVariables", "[]")
            given = {one["name"]: one["value"] for one in json.loads(text)}
            own = "wake" if "MINUTES" in given else "migrate" if action["Name"] == "Migrate" else None
            check = given.get("CHECK", given.get("STEP", own))
            rolled_back = stage.get("OnFailure", {}).get("Result") if check in checks else None
            assert given.get("ON_FAILURE") == rolled_back, action["Name"]


def test_the_longest_freezes_fit_into_an_action(stacks_of: Callable[..., Stacks]) -> None:
    production = "b" * len(LONGEST_ENVIRONMENT)
    answers = {"app_name": LONGEST_APP, "environments": f"{LONGEST_ENVIRONMENT},{production}", "customize": True}
    freezes = ",".join(f"20{one}-12-20..20{one}-12-21" for one in range(30, 50))
    ((_, pipeline),) = one(stacks_of(**answers, freezes=freezes), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    actions = [action["Configuration"] for stage in pipeline["Stages"] for action in stage["Actions"]]
    assert any(freezes in text for given in actions for text in given.values())
    assert max(len(text) for given in actions for text in given.values()) <= 1000


def test_windows_and_freezes_are_those_of_production(stacks_of: Callable[..., Stacks]) -> None:
    answers = FEW["one environment, linear, arm64"] | {"environments": "dev,live,dr", "production": "live"}
    ((_, pipeline),) = one(stacks_of(**answers), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    stages = {stage["Name"]: stage for stage in pipeline["Stages"]}
    for name in ("Live", "Dr"):
        (condition,) = stages[name]["BeforeEntry"]["Conditions"]
        (rule,) = condition["Rules"]
        assert (condition["Result"], rule["RuleTypeId"]["Provider"]) == ("FAIL", "DeploymentWindow")
        # Days and hours as they are in the answer: the windows end at 12 and at 24 o'clock.
        assert rule["Configuration"] == {
            "Cron": "* * 9-11,13-23 ? * MON,TUE,WED,THU,SAT *",
            "TimeZone": "America/Argentina/Buenos_Aires",
        }
        given = json.loads(stages[name]["Actions"][0]["Configuration"]["EnvironmentVariables"])
        assert {"name": "FREEZES", "value": answers["freezes"]} in given
        assert {"name": "CHECK", "value": "entry_check"} in given
    assert "BeforeEntry" not in stages["Dev"]
    assert "FREEZES" not in json.dumps(stages["Dev"])


def test_the_merge_gate_comes_before_whatever_a_commit_can_change(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    _, gate, approval, update = pipeline["Stages"][:4]
    compare = gate["Actions"][0]
    project = one(stacks, "checks").resources["GateProject"]["Properties"]
    assert compare["Configuration"]["ProjectName"] == project["Name"]
    # Text of the stack; a path would be one of the source.
    assert project["Source"]["BuildSpec"].startswith("version: 0.2\n")
    assert "OnFailure" not in gate

    (condition,) = approval["BeforeEntry"]["Conditions"]
    (rule,) = condition["Rules"]
    assert condition["Result"] == "SKIP"
    assert rule["Configuration"] == {"Variable": "#{Gate.CHANGED}", "Operator": "NE", "Value": "no"}
    (action,) = approval["Actions"]
    assert (compare["Namespace"], action["ActionTypeId"]["Category"]) == ("Gate", "Approval")
    # The longest summary, and a commit id of SHA-256.
    text = action["Configuration"]["CustomData"].replace("#{Gate.SUMMARY}", "x" * 600)
    assert len(text.replace("#{Source.CommitId}", "x" * 64)) <= 1000

    overrides = {one["Name"]: one["Configuration"].get("ParameterOverrides", "{}") for one in update["Actions"]}
    for action in ("Checks", "PullRequests"):
        assert json.loads(overrides[action]) == {names.SOURCE_COMMIT: "#{Source.CommitId}"}
    deployed = {item["Name"]: item["Value"] for item in project["Environment"]["EnvironmentVariables"]}
    assert deployed["DEPLOYED_COMMIT"] == names.UNKNOWN_DIGEST  # until a deployer says which commit it is


def test_adding_an_environment_changes_neither_foundation_nor_the_shared_templates(
    generated: Callable[..., Path],
) -> None:
    two, three = (generated(environments=names) / "infrastructure" for names in ("dev,live", "dev,qa,live"))
    for path in sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file()):
        same = (two / path).read_bytes() == (three / path).read_bytes()
        changed = ("build.yaml", "checks.yaml", "events.yaml", "pipeline.yaml", "plans.yaml")
        assert same or path in map(Path, changed)


@pytest.mark.parametrize("count", [1, 6, 8])
def test_templates_are_small_enough_for_an_inline_template_body(generated: Callable[..., Path], count: int) -> None:
    environment_names = ",".join(f"{LONGEST_ENVIRONMENT[:-1]}{number}" for number in range(count))
    root = generated(app_name=LONGEST_APP, environments=environment_names)
    # A larger one is uploaded to the artifact bucket first.
    larger = {"pipeline.yaml"} if count == 8 else set()
    for path in (root / "infrastructure").rglob("*.yaml"):
        assert len(path.read_bytes()) <= 51_200 or path.name in larger, path


@pytest.mark.parametrize(
    "name", ["rel", "a" * 24, *(pytest.param(name, marks=pytest.mark.slow) for name in ("abc", "a" * 20))]
)
def test_artifacts_expire_and_records_of_releases_do_not(generated: Callable[..., Path], name: str) -> None:
    foundation = one(load(generated(app_name=name)), "foundation")
    rules = foundation.resources["ArtifactBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule]
    # CodePipeline shortens the name of the pipeline to 20 characters.
    for key, expires in ((f"{name[:20]}/Source/abc", True), ("scaffold/templates/x.yaml", True),
                         (f"releases/20260131-0915-{name}/release.json", False)):  # fmt: skip
        assert any(key.startswith(prefix) for prefix in expiring) is expires, key


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_an_approval_names_the_release_and_fits(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    ((_, pipeline),) = one(stacks_of(**answers), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    approvals = [stage for stage in pipeline["Stages"] if stage["Name"].startswith("Approve-")][1:]
    assert approvals or answers.get("approval") == "none"
    for stage in approvals:
        text = stage["Actions"][0]["Configuration"]["CustomData"]
        assert text.startswith("Release #{Build.RELEASE_NAME} for ")
        for variable, longest in (
            ("Build.RELEASE_NAME", 26),
            ("Source.CommitId", 64),
            (r"\w+.SUMMARY", 600),
            (r"\w+.NUMBER", 9),
        ):
            text = re.sub(rf"#\{{{variable}\}}", "x" * longest, text)
        assert "#{" not in text
        assert len(text) <= 1000


# The most actions and stages that a pipeline can have, and the most resources, rules and names in each template.
EVERYTHING: Answers = {
    "environments": "a1,b2,c3,d4,e5,f6,g7,h8",
    "deployment_strategy": "canary",
    "customize": True,
    "egress": "nat_gateway",
    "notification_email": "team@example.com",
    "chat_notifications": True,
    "success_notifications": "every",
    "build_secrets": ",".join(f"A{number}" for number in range(10)),
    "encrypt_logs": True,
    "nightly_scan": True,
    "updates": "renovate",
    "audit": "trail",
    "access_logs": True,
    "flow_logs": True,
    "waf": "managed",
    "coverage_threshold": 80,
    "approvers": "Releasers,Tech.Leads@x",
    "reviewers": "Leads",
    "windows": "MON-SUN 00-24 UTC",
    "freezes": FREEZE,
    "database": "postgres",
    **BUILD_VPC,
}
# WAF would block a load test.
TESTED = {"soak_minutes": 30, "load_test": "a1", "waf": "off"}
LONGEST: dict[str, Answers] = {
    "eight environments, branches": {**EVERYTHING, **TESTED, "promotion": "branches"},
    "eight environments like production": {
        **EVERYTHING, "production": "a1", "approval": "every", "approve_running": True,
    },
    "seven environments before production": {**EVERYTHING, **TESTED, "approval": "every", "approve_running": True},
    # All that can be in the templates of service, alarms and environment together.
    "one service with everything": {
        **EVERYTHING, **DOMAIN, "environments": "dev,live", "observability": "full", "approve_running": True,
        "port": 3000, "health_path": "/healthz", "office_hours": "MON-FRI 07-19 UTC", "scratch_gib": 21,
        "environment_overrides": {"live": {"alarm_email": "oncall@example.com"}},
    },
    # All that can be in that of the checks.
    "one service, branches, all kinds of stack": {
        **EVERYTHING, **DOMAIN, **DATA, "environments": "dev,live", "promotion": "branches",
    },
}  # fmt: skip


# The handbook of the service, and what package managers write.
LONG_FILES = ("README.md", "package-lock.json", "requirements.txt", "requirements/infrastructure.txt")


@pytest.mark.parametrize(
    "answers",
    [
        *(pytest.param(one, id=name) for name, one in FEW.items()),
        *(pytest.param(one, id=name, marks=pytest.mark.slow) for name, one in LONGEST.items()),
        pytest.param(ALL_ANSWERS, id="all answers", marks=pytest.mark.slow),
    ],
)
def test_every_file_is_short_enough_for_one_sitting(generated: Callable[..., Path], answers: Answers) -> None:
    root = generated(**answers)
    order = answers.get("environments", "dev,staging,prod").split(",")
    from_production = order[order.index(answers.get("production", order[-1])) :]
    approved = {"none": [], "every": order}.get(answers.get("approval", "production"), from_production)
    branches = order[1:] if answers.get("promotion") == "branches" else []
    for path in (path for path in root.rglob("*") if path.is_file() and not str(path).endswith(LONG_FILES)):
        longest = 350
        if path.name == "pipeline.yaml":
            longest = 250 + 60 * len(order) + 40 * len(approved[1:]) + 45 * len(branches)
            longest += len(from_production) * sum({"windows": 7, "freezes": 11}[one] for one in answers if one in TIMES)
            longest += 22 * (len(order) - len(from_production)) if "soak_minutes" in answers else 0
            longest += 10 if answers.get("load_test") else 0
            longest += 8 * (len(order) - len(from_production) + 1) if answers.get("office_hours") else 0
            longest += 20 * len(approved) if answers.get("approve_running") else 0
            data, database = "tables" in answers, answers.get("database") == "postgres"
            longest += 12 * len(order) + 15 * len(approved) if data or database else 0
            longest += 24 * len(order) if database else 0
        assert len(path.read_bytes().splitlines()) <= longest, path


@pytest.mark.parametrize("kind", ["foundation", "permissions", "deploy-role"])
def test_an_answer_that_is_turned_off_only_takes_away_from_what_people_deploy(
    generated: Callable[..., Path], kind: str
) -> None:
    """The preflight would stop its release otherwise, which has to come before `scaffold deploy`."""
    content = function_of("preflight.py", "content")
    off, on = (
        Counter(content((generated(**answers) / "infrastructure" / f"{kind}.yaml").read_text()))
        for answers in ({}, ALL_ANSWERS)
    )
    assert off - on == Counter()
    assert on - off


def test_environment_stacks_do_not_change_with_releases(stacks_of: Callable[..., Stacks]) -> None:
    for stack in stacks_of().values():
        text = json.dumps([stack.configuration.get("Tags"), stack.parameters])
        if stack.kind != "task-definition":
            assert "v0.0.1" not in text
            assert set(stack.configuration["Tags"]) <= {names.TAG_SERVICE, names.TAG_ENVIRONMENT}
        if stack.kind == "environment":
            assert "v0.0.1" not in json.dumps(stack.resources, default=str)


def test_only_the_pipeline_has_the_kit_version(stacks_of: Callable[..., Stacks]) -> None:
    pipeline = one(stacks_of(), "pipeline")
    assert pipeline.outputs["KitVersion"] == pipeline.template["Metadata"]["KitVersion"] == "v0.0.1"
    assert "v0.0.1" not in json.dumps(pipeline.resources, default=str)


def test_the_readme_says_how_long_artifacts_last(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks]
) -> None:
    ((_, bucket),) = one(stacks_of(), "foundation").of_type("AWS::S3::Bucket")
    (lifetime,) = [one for one in bucket["LifecycleConfiguration"]["Rules"] if one["Id"] == "old-artifacts"]
    (said,) = re.findall(r"artifacts of the\s+earlier release, which expire after (\d+) days", _readme(generated()))
    assert int(said) == lifetime["ExpirationInDays"]


def test_the_readme_names_the_resource_that_the_stack_policy_protects(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks]
) -> None:
    (said,) = re.findall(r"The stack policy denies an update of `(\w+)`", _readme(generated()))
    protected = {
        logical
        for stack in stacks_of().values()
        for logical, _ in stack.of_type("AWS::ElasticLoadBalancingV2::ListenerRule")
    }
    assert protected == {said}


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_the_readme_names_what_the_merge_gate_stops(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks], answers: Answers
) -> None:
    ((_, gate),) = [
        project
        for project in one(stacks_of(**answers), "checks").of_type("AWS::CodeBuild::Project")
        if project[0] == "GateProject"
    ]
    (text,) = re.findall(r"KIND = (.+?)\n\s*OWN", gate["Source"]["BuildSpec"], re.DOTALL)
    stopped = "".join(re.findall(r'"(.*?)"', text))
    assert set(stopped.split("|")) == {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF}
    root = generated(**answers)
    (listed,) = re.findall(r"It concerns files named (.+) in `infrastructure/`", (root / "README.md").read_text())
    there = {kind for kind in stopped.split("|") if (root / f"infrastructure/{kind}.yaml").exists()}
    assert set(re.findall("`(.+?)`", listed)) == there


def test_the_readme_names_the_policy_for_waking(generated: Callable[..., Path]) -> None:
    text = (generated(**FEW["blue/green, overrides"]) / "README.md").read_text()
    (policy,) = re.findall(r"`scaffold wake ENV`.+ `(docs/operator-policy[a-z-]*\.json)`", text)
    assert "application-autoscaling:PutScheduledAction" in (ROOT / policy).read_text()


def test_a_scan_ends_before_its_build(generated: Callable[..., Path], stacks_of: Callable[..., Stacks]) -> None:
    text = (generated() / "config/scripts/scan_gate/policy.py").read_text()
    (longest,) = re.findall(r"^LONGEST_SCAN = (\d+)$", text, re.MULTILINE)
    build = one(stacks_of(), "build").resources["BuildProject"]["Properties"]
    assert int(longest) <= build["TimeoutInMinutes"] - 15


def _readme(root: Path) -> str:
    return (root / "README.md").read_text()


def test_the_stack_policy_protects_listener_rules(stacks_of: Callable[..., Stacks]) -> None:
    for stack in stacks_of().values():
        if stack.kind == "environment":
            allow, deny, *more = stack.configuration["StackPolicy"]["Statement"]
            assert (allow["Effect"], allow["Action"], allow["Resource"]) == ("Allow", "Update:*", "*")
            assert (deny["Effect"], deny["Action"], deny["Resource"]) == ("Deny", "Update:*", "*")
            kinds = deny["Condition"]["StringEquals"]["ResourceType"]
            assert kinds == ["AWS::ElasticLoadBalancingV2::ListenerRule"]
            assert bool(more) == (stack.parameters["EnvironmentName"] == "prod")
            for one in more:
                assert (one["Effect"], one["Action"]) == ("Deny", ["Update:Delete", "Update:Replace"])
                kinds = one["Condition"]["StringEquals"]["ResourceType"]
                assert (one["Resource"], kinds) == ("*", ["AWS::ElasticLoadBalancingV2::LoadBalancer"])


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_releases_protect_load_balancers_from_production_on(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks], answers: Answers
) -> None:
    root, stacks = generated(**answers), stacks_of(**answers)
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    actions = [action for stage in pipeline["Stages"] for action in stage["Actions"]]
    (preflight,) = [one for one in actions if one["Name"] == "Preflight"]
    variables = json.loads(preflight["Configuration"]["EnvironmentVariables"])
    (protected,) = [one["value"].split(",") for one in variables if one["name"] == "PROTECTED"]
    declared = yaml.safe_load((root / "config/buildspecs/checks.yml").read_text())["env"]["exported-variables"]
    databases = [stack.parameters["EnvironmentName"] for stack in stacks.values() if stack.kind == "database"]
    expected = {f"PROTECT_{name.upper()}" for name in protected}
    expected |= {f"PROTECT_DATABASE_{name.upper()}" for name in databases}
    assert expected == set(declared) - OF_THE_GATE
    asked = [one["value"].split(",") for one in variables if one["name"] == "DATABASES"]
    assert sorted(itertools.chain(*asked)) == sorted(databases)
    for action in actions:
        stack = stacks.get(action["Configuration"].get("StackName", ""))
        if stack and stack.kind == "environment":
            name = stack.parameters["EnvironmentName"]
            given = action["Configuration"].get("ParameterOverrides")
            expected = f'{{"ProtectLoadBalancer": "#{{Preflight.PROTECT_{name.upper()}}}"}}'
            assert given == (expected if name in protected else None)
            attributes = stack.resources["LoadBalancer"]["Properties"]["LoadBalancerAttributes"]
            assert {"Key": "deletion_protection.enabled", "Value": "false"} in attributes
        if stack and stack.kind == "database":
            # Created without, and with it right afterwards, as the files say.
            given = action["Configuration"].get("ParameterOverrides")
            name = stack.parameters["EnvironmentName"].upper()
            creates = {"ProtectDatabase": f"#{{Preflight.PROTECT_DATABASE_{name}}}"}
            assert (json.loads(given) if given else None) == (creates if action["Name"] == "Database" else None)
            assert stack.resources["Cluster"]["Properties"]["DeletionProtection"] == "true"


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_every_resource_has_a_description_of_its_own(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    for stack in stacks_of(**answers).values():
        # An unquoted comma in braces begins another key.
        assert not [name for name, resource in stack.resources.items() if None in resource["Metadata"].values()]
        described = [resource["Metadata"]["Description"] for resource in stack.resources.values()]
        assert all(0 < len(text) <= 60 and "\n" not in text for text in described)
        assert len(set(described)) == len(described), f"two resources of {stack.name} have the same description"


# The keys of a template, a resource and a statement, by one that each of them has.
IN_ORDER = {
    "Resources": ["Description", "Metadata", "Parameters", "Conditions", "Resources", "Outputs"],
    "Metadata": ["Type", "Condition", "DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "Properties"],
    "Effect": ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"],
}


def test_keys_are_in_one_order(stacks_of: Callable[..., Stacks]) -> None:
    for stack in stacks_of().values():
        version, *_ = stack.template
        assert version == "AWSTemplateFormatVersion"
        for item in walk({key: value for key, value in stack.template.items() if key != version}):
            for key, order in IN_ORDER.items():
                if key in item and set(item) <= set(order):
                    assert list(item) == [one for one in order if one in item], stack.name


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_template_conditions_leave_no_traces(generated: Callable[..., Path], answers: Answers) -> None:
    for path in (generated(**answers) / "infrastructure").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert text.endswith("\n")
            assert not re.search(r"\n\n\n|[ \t]\n|\n\n\Z|\A\n|\{[{%#]|[#%}]\}", text.replace("#{", "")), path


def test_service_parameters_are_those_of_the_strategy(stacks_of: Callable[..., Stacks]) -> None:
    def parameters(**answers: Any) -> set[str]:
        return set(one(stacks_of(environments="live", **answers), "service").parameters)

    common = parameters()
    assert {name for name in common if re.search("Bake|Canary|Linear", name)} == {"BakeMinutes"}
    assert parameters(deployment_strategy="blue_green") == common
    assert parameters(deployment_strategy="canary") - common == {"CanaryPercent", "CanaryBakeMinutes"}
    assert parameters(deployment_strategy="linear") - common == {"LinearStepPercent", "LinearStepMinutes"}


def test_a_change_of_strategy_needs_one_release(stacks_of: Callable[..., Stacks]) -> None:
    """It changes the deployment configuration and a scaling policy, nothing that traffic depends on."""

    def without(strategy: str) -> dict[str, Any]:
        service = one(stacks_of(environments="live", deployment_strategy=strategy), "service")
        resources: dict[str, Any] = json.loads(json.dumps(service.resources, default=str))
        assert (resources.pop("ShiftScaling", None) is None) == (strategy == "rolling")
        deployment = resources["Service"]["Properties"]["DeploymentConfiguration"]
        assert deployment.pop("Strategy") == strategy.upper()
        deployment.pop({"canary": "CanaryConfiguration", "linear": "LinearConfiguration"}.get(strategy, ""), None)
        return resources

    rolling = without("rolling")
    assert all(without(strategy) == rolling for strategy in ("blue_green", "canary", "linear"))


def test_other_rules_can_come_before_the_production_rule(stacks_of: Callable[..., Stacks]) -> None:
    for _, _, properties in every(stacks_of(), "AWS::ElasticLoadBalancingV2::ListenerRule"):
        assert properties["Priority"] == 1000


def shares(stacks: Stacks, environment: str) -> dict[str, tuple[int, int]]:
    """The base and the weight of each capacity provider of an environment."""
    service = stacks[StackId(SERVICE, environment).name("hello-service")].resources["Service"]["Properties"]
    return {one["CapacityProvider"]: (one.get("Base", 0), one["Weight"]) for one in service["CapacityProviderStrategy"]}


def test_a_changed_capacity_provider_strategy_forces_a_deployment(stacks_of: Callable[..., Stacks]) -> None:
    """ECS refuses it without one; every other update leaves the nonce alone."""
    nonces = set()
    for spot in (True, False):
        stacks = stacks_of(environments="live", customize=True, environment_overrides={"live": {"spot": spot}})
        forced = one(stacks, "service").resources["Service"]["Properties"]["ForceNewDeployment"]
        assert forced["EnableForceNewDeployment"] is True
        nonces.add(forced["ForceNewDeploymentNonce"])
    assert len(nonces) == 2


def test_spot_in_the_first_environment_and_two_tasks_in_production(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    assert shares(stacks, "dev") == {"FARGATE": (0, 0), "FARGATE_SPOT": (0, 1)}
    assert shares(stacks, "staging") == shares(stacks, "prod") == {"FARGATE": (1, 1), "FARGATE_SPOT": (0, 0)}
    above = stacks_of(customize=True, environment_overrides={"prod": {"spot": "above_first"}})
    assert shares(above, "prod") == {"FARGATE": (1, 0), "FARGATE_SPOT": (0, 1)}
    minimums = {stack.name: properties["MinCapacity"] for stack, _, properties in every(
        stacks, "AWS::ApplicationAutoScaling::ScalableTarget")}  # fmt: skip
    assert minimums["hello-service-dev-service"] == "1"
    assert minimums["hello-service-prod-service"] == "2"
    assert not any(True for _ in every(stacks, "AWS::EC2::NatGateway"))


def test_there_is_no_subscription_without_an_e_mail_address(stacks_of: Callable[..., Stacks]) -> None:
    assert "NotificationSubscription" not in one(stacks_of(), "foundation").resources
    asked = one(stacks_of(notification_email="team@example.com"), "foundation").resources
    assert asked["NotificationSubscription"]["Properties"]["Endpoint"] == "team@example.com"


def test_subnets_are_in_the_vpc_and_do_not_overlap(stacks_of: Callable[..., Stacks]) -> None:
    import ipaddress

    for cidr in ("10.0.0.0/16", "10.1.2.0/24"):
        own = one(stacks_of(environments="live", vpc_cidr=cidr, egress="nat_gateway"), "network")
        subnets = [ipaddress.ip_network(subnet["CidrBlock"]) for _, subnet in own.of_type("AWS::EC2::Subnet")]
        assert len(subnets) == 4
        network = ipaddress.ip_network(cidr)
        assert all(subnet.subnet_of(network) for subnet in subnets)  # type: ignore[arg-type]
        assert not any(a.overlaps(b) for a in subnets for b in subnets if a is not b)
        # A load balancer needs eight free addresses in each of its subnets.
        assert min(subnet.num_addresses for subnet in subnets) >= 32


def test_names_are_those_of_the_names_module(stacks_of: Callable[..., Stacks]) -> None:
    stacks, app = stacks_of(load_test="dev"), "hello-service"
    environments = ("dev", "staging", "prod")
    assert {stack.name(app) for stack in stack_ids(environments)} == set(stacks)
    for environment in environments:
        cluster = stacks[StackId(ENVIRONMENT, environment).name(app)]
        assert cluster.outputs["ClusterName"] == names.cluster(app, environment)
        assert cluster.outputs["LogGroupName"] == names.log_group(app, environment)
    found = {properties["Name"] for _, _, properties in every(stacks, "AWS::CodeBuild::Project")}
    more = {"database": "postgres", "nightly_scan": True, "updates": "renovate", "office_hours": "MON-FRI 07-19 UTC"}
    followed = stacks_of(promotion="branches", load_test="dev", **more)
    with_branches = {properties["Name"] for _, _, properties in every(followed, "AWS::CodeBuild::Project")}
    optional = {
        project_names.branches(app),
        project_names.migrate(app),
        project_names.scan(app),
        project_names.updates(app),
        project_names.wake(app),
    }
    assert (with_branches, found) == (project_names.every(app), project_names.every(app) - optional)
    ((_, _, pipeline),) = every(stacks, "AWS::CodePipeline::Pipeline")
    assert pipeline["Name"] == names.pipeline(app)
    for _, logical, policy in every(stacks, "AWS::IAM::ManagedPolicy"):
        assert policy["Path"] == names.iam_path(app), logical
    for stack, logical, role in every(stacks, "AWS::IAM::Role"):
        environment = stack.parameters.get("EnvironmentName")
        if stack.kind in ("permissions", "deploy-role"):
            boundary = f"policy{names.iam_path(app)}{names.boundary_policy(app, environment)}"
            assert stack.outputs["BoundaryArn"].endswith(boundary)
            assert role["Path"] + role["RoleName"] == names.deploy_role(app, environment)
        else:
            assert role["Path"] == names.role_path(app, environment), logical
    log_groups = {group["LogGroupName"] for _, _, group in every(stacks, "AWS::Logs::LogGroup")}
    assert log_groups == {
        *(f"/{app}/pipeline/{name}" for name in ("build", "checks", "drift", "gate", "plan")),
        *(f"/{app}/pipeline/{name}" for name in ("load-test", "pr-plan", "pr-tests", "pr-verdict", "release", "tests")),
        *(names.log_group(app, one) for one in environments),
    }
    groups = {group["Name"] for _, _, group in every(stacks, "AWS::CodeBuild::ReportGroup")}
    reports = ("build-scan", "build-unit-tests", "load-test-results", "pr-tests-unit-tests", "tests-integration")
    assert groups == {f"{app}-{name}" for name in reports}


LIMITS = {
    ("AWS::CloudWatch::Alarm", "AlarmName"): 255,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    ("AWS::CodeBuild::Project", "Name"): 150,
    ("AWS::CodeBuild::ReportGroup", "Name"): 128,
    ("AWS::CodePipeline::Pipeline", "Name"): 100,
    ("AWS::ECR::Repository", "RepositoryName"): 256,
    ("AWS::ECS::Cluster", "ClusterName"): 255,
    ("AWS::ECS::Service", "ServiceName"): 255,
    ("AWS::ECS::TaskDefinition", "Family"): 255,
    ("AWS::Events::Rule", "Name"): 64,
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): 128,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::RDS::DBCluster", "DBClusterIdentifier"): 63,
    ("AWS::RDS::DBClusterParameterGroup", "DBClusterParameterGroupName"): 255,
    ("AWS::RDS::DBInstance", "DBInstanceIdentifier"): 63,
    ("AWS::RDS::DBSubnetGroup", "DBSubnetGroupName"): 255,
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::SNS::Topic", "TopicName"): 256,
    ("AWS::SNS::Topic", "DisplayName"): 100,
}


def test_the_longest_names_fit(stacks_of: Callable[..., Stacks]) -> None:
    assert (len(LONGEST_APP), len(LONGEST_ENVIRONMENT)) == (24, 12)
    stacks = stacks_of(**FEW["longest names, canary, NAT gateway, no gate"])
    for (kind, key), longest in LIMITS.items():
        found = [properties[key] for _, _, properties in every(stacks, kind) if key in properties]
        assert found
        assert max(map(len, found)) <= longest, (kind, key)
    ((_, _, pipeline),) = every(stacks, "AWS::CodePipeline::Pipeline")
    for stage in pipeline["Stages"]:
        for action in stage["Actions"]:
            assert len(action.get("Namespace", "")) <= 100
            assert len(action.get("Configuration", {}).get("CustomData", "")) <= 1000
            assert len(action.get("Configuration", {}).get("ExternalEntityLink", "")) <= 1000
    assert all(len(name) <= 128 for name in stacks)


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_policies_stay_below_the_limits_of_iam(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    def longest(document: Any) -> int:
        return max(size(moved(document, *where)) for where in longest_regions())

    stacks = stacks_of(**answers)
    for stack, logical, role in every(stacks, "AWS::IAM::Role"):
        inline = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
        for _, policy in stack.of_type("AWS::IAM::Policy"):
            inline.append(policy["PolicyDocument"])
        assert sum(map(longest, inline)) <= 10_240, f"{stack.name} {logical}"
        assert longest(role["AssumeRolePolicyDocument"]) <= 2_048
        # Ten is the quota of an account that has not asked for more.
        attached = len(role.get("ManagedPolicyArns", [])) + sum(
            {"Ref": logical} in stack.template["Resources"][policy]["Properties"].get("Roles", [])
            for policy, _ in stack.of_type("AWS::IAM::ManagedPolicy")
        )
        assert attached <= 10
    for _, _, policy in every(stacks, "AWS::IAM::ManagedPolicy"):
        assert longest(policy["PolicyDocument"]) <= 6_144


def test_owners_have_room_for_permissions_of_their_own(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**FEW["longest names, canary, NAT gateway, no gate"])
    full = [
        f"{logical} in {region}: {free} characters free"
        for _, logical, policy in every(stacks, "AWS::IAM::ManagedPolicy")
        for partition, region in longest_regions()
        if (free := 6_144 - size(moved(policy["PolicyDocument"], partition, region))) < 2_000
    ]
    assert not full


def test_templates_of_all_environments_depend_on_none_of_them() -> None:
    for kind in ("deploy-role", "network", "environment", "alarms", "service"):
        (path,) = SOURCE.glob(f"*{kind}.yaml*")
        assert not re.search(r"\{[{%].*\benv(ironment_settings)?\b", path.read_text())


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_yaml_has_no_aliases_and_no_doubled_keys(generated: Callable[..., Path], answers: Answers) -> None:
    for path in (generated(**answers) / "infrastructure").rglob("*.yaml"):
        for event in yaml.parse(path.read_text(), Loader=yaml.CSafeLoader):
            assert not isinstance(event, yaml.AliasEvent), path


def test_the_container_is_confined(stacks_of: Callable[..., Stacks]) -> None:
    for _, _, task in every(stacks_of(), "AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == "1000"
        assert not container.get("Privileged")
        assert "@sha256:" in container["Image"]
        assert 25 < container["StopTimeout"] <= 120
        variables = {item["Name"]: item["Value"] for item in container["Environment"]}
        assert set(variables) == {"PORT", "APP_NAME", "APP_ENVIRONMENT", "APP_VERSION"}
        assert variables["PORT"] == str(container["PortMappings"][0]["ContainerPort"])


def test_the_bucket_is_closed_and_encrypted(stacks_of: Callable[..., Stacks]) -> None:
    ((_, _, bucket),) = every(stacks_of(), "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    ((_, _, policy),) = every(stacks_of(), "AWS::S3::BucketPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    encryption = [item for item in walk(bucket) if "SSEAlgorithm" in item]
    assert [item["SSEAlgorithm"] for item in encryption] == ["aws:kms"]


@pytest.mark.parametrize("answers", [{}, ALL_ANSWERS], ids=["default", "all answers"])
def test_logs_have_the_key_of_the_service_if_asked_for(stacks_of: Callable[..., Stacks], answers: Answers) -> None:
    stacks = stacks_of(**answers)
    asked, key = answers.get("encrypt_logs", False), one(stacks, "foundation").outputs["ArtifactKeyArn"]
    groups = [properties for _, _, properties in every(stacks, "AWS::Logs::LogGroup")]
    assert {properties.get("KmsKeyId") for properties in groups} == {key if asked else None}
    ((_, policy),) = one(stacks, "foundation").of_type("AWS::KMS::Key")
    # Even if not: entries may be older than the answer.
    (statement,) = (each for each in policy["KeyPolicy"]["Statement"] if each["Sid"] == "Logs")
    assert statement["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    for properties in groups:
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{properties['LogGroupName']}"
        context = {"kms:EncryptionContext:aws:logs:arn": group}
        for action in ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey"):
            assert allowed([statement], f"kms:{action}", key, context)
        other = {name: arn.replace("group:/", "group:/other/") for name, arn in context.items()}
        assert not allowed([statement], "kms:Decrypt", key, other)
        assert not allowed([statement], "kms:Decrypt", key)


@pytest.mark.parametrize("name", ["default", "one environment, linear, arm64"])
def test_what_follows_the_build_of_the_image_has_no_secrets(generated: Callable[..., Path], name: str) -> None:
    text = (generated(**FEW[name]) / "config/buildspecs/build.yml").read_text()
    commands = yaml.safe_load(text)["phases"]["build"]["commands"]
    following = commands[commands.index("bash config/scripts/build_image.sh image.env") + 1]
    assert (following == "unset $BUILD_SECRETS") == ("SECRETS" in text) == ("build_secrets" in FEW[name])


def test_services_scan_what_runs_at_minutes_of_their_own(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks]
) -> None:
    """A new account refuses the second of two scans at once."""
    found = set()
    for answers in (FEW["existing VPC"], ALL_ANSWERS):
        (rule,) = [
            properties["ScheduleExpression"]
            for _, properties in one(stacks_of(**answers), "scans").of_type("AWS::Events::Rule")
            if "ScheduleExpression" in properties
        ]
        match = re.fullmatch(r"cron\((\d+) (\d+) \* \* \? \*\)", rule)
        assert match
        minute, hour = map(int, match.groups())
        assert minute < 60
        assert 1 <= hour <= 3
        assert f"Each night at {hour:02}:{minute:02} UTC" in (generated(**answers) / "README.md").read_text()
        found.add(rule)
    assert len(found) == 2


def test_images_keep_their_tags(stacks_of: Callable[..., Stacks]) -> None:
    ((_, _, repository),) = every(stacks_of(), "AWS::ECR::Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"


def test_environment_directories_are_those_of_the_answers(generated: Callable[..., Path]) -> None:
    assert environments(generated(environments="test,uat,live")) == ["live", "test", "uat"]
