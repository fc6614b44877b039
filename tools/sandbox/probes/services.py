"""The kit's service: its first release, its shifts of traffic, and the deployments of its ECS services."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from ..account import denied
from ..builds import failures, run
from ..kit import Service
from ..queues import Queue, rule
from ..registry import probe
from ..roles import Caller, allow, role, trust
from ..sandbox import Sandbox
from ..services import Environment
from ..stacks import Stack, template
from ..trail import calls
from ..verdicts import Unavailable, Undecided, Verdict, decided, refuted

_IAM: dict[str, Any] = {"Capabilities": ["CAPABILITY_IAM"]}
# It runs, and answers no request.
_SILENT = ["node", "-e", "setTimeout(() => {}, 3600000)"]
_IN_VAIN = 900.0
_UPDATES_IN_VAIN = 2700.0
# Parameters of a service whose deployments can pause.
_TRIAL = {"ApproveRunning": "true", "DeploymentStrategy": "BLUE_GREEN"}


def _environment(sandbox: Sandbox, milestone: str, name: str) -> Environment:
    return Environment(sandbox, sandbox.after("service", milestone), name)


@probe("retry-of-self-update", scenario="service")
def retry_of_self_update(sandbox: Sandbox) -> Verdict:
    """The stage that updates the pipeline, in the execution that the creation of the pipeline started."""
    service: Service = sandbox.after("service", "first release")
    codepipeline = sandbox.client("codepipeline")
    answer = codepipeline.list_pipeline_executions(pipelineName=service.name)["pipelineExecutionSummaries"]
    first = min(answer, key=lambda one: str(one["startTime"]))
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=service.name, filter={"pipelineExecutionId": first["pipelineExecutionId"]}
    )
    attempts: dict[str, list[str]] = {}
    for one in (one for page in pages for one in page["actionExecutionDetails"] if one["stageName"] == "SelfUpdate"):
        attempts.setdefault(one["actionName"], []).append(one["status"])
    evidence = f"the execution is {first['status']}, the attempts in its stage SelfUpdate are {attempts}"
    if not any("Failed" in one for one in attempts.values()):
        raise Undecided(f"nothing was retried: {evidence}")
    return decided(all(one.count("Failed") < 2 for one in attempts.values()), evidence)


@probe("renovate-on-codecommit", scenario="service")
def renovate_on_codecommit(sandbox: Sandbox) -> Verdict:
    """A build that updates the pins of the service, of which one is the base image."""
    service: Service = sandbox.after("service", "first release")
    if sandbox.account.local:
        raise Undecided("local AWS has no gallery of images")
    build = run(sandbox, f"{service.name}-updates", _UPDATES_IN_VAIN)
    evidence = f"the build ended with {build['buildStatus']} {failures(build)}".rstrip()
    return decided(build["buildStatus"] == "SUCCEEDED", f"{evidence}; its log is {build['logs'].get('deepLink', '')}")


@probe("exec-with-volumes", scenario="service")
def exec_with_volumes(sandbox: Sandbox) -> Verdict:
    """The agent of ECS Exec in a task whose file system is read-only but for three volumes, and a session with it."""
    name, ecs = _environment(sandbox, "first release", "dev").name, sandbox.client("ecs")
    if sandbox.account.local:
        raise Undecided("local AWS has no ECS Exec")
    tasks = ecs.list_tasks(cluster=name, serviceName=name, desiredStatus="RUNNING")["taskArns"]
    described = ecs.describe_tasks(cluster=name, tasks=tasks)["tasks"]
    containers = [one for task in described for one in task["containers"] if one["name"] == "app"]
    agents = [agent["lastStatus"] for one in containers for agent in one.get("managedAgents", [])]
    try:
        ecs.execute_command(cluster=name, task=tasks[0], container="app", command="true", interactive=True)
    except ClientError as error:
        return decided(False, f"the agents are {agents}, and a session is refused: {error}")
    return decided("RUNNING" in agents, f"the agents are {agents}, and a session was opened")


@probe("tags-at-creation", scenario="service")
def tags_at_creation(sandbox: Sandbox) -> Verdict:
    """What the deploy role has created and changed, which may tag at creation and change what is tagged only."""
    stack = _environment(sandbox, "first release", "prod").environment_stack
    status, tags = stack.describe()["StackStatus"], {}
    group = stack.resource("TaskSecurityGroup")
    (described,) = sandbox.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    tags["security group"] = described.get("Tags", [])
    arns = {name: stack.resource(name) for name in ("Listener", "ProductionRule")}
    for one in sandbox.client("elbv2").describe_tags(ResourceArns=list(arns.values()))["TagDescriptions"]:
        tags["listener" if one["ResourceArn"] == arns["Listener"] else "listener rule"] = one["Tags"]
    tagged = [name for name, found in tags.items() if set(map(_pair, sandbox.tags)) <= set(map(_pair, found))]
    evidence = f"the environment's stack is in {status}, and its tags are on: {', '.join(tagged) or 'nothing'}"
    return decided(status == "UPDATE_COMPLETE" and len(tagged) == 3, evidence)


def _pair(tag: dict[str, str]) -> tuple[str, str]:
    return tag["Key"], tag["Value"]


@probe("shift-modifies-rule", scenario="service")
def shift_modifies_rule(sandbox: Sandbox) -> Verdict:
    """The calls of the role with which ECS shifts traffic, after two shifts."""
    production = _environment(sandbox, "second release", "prod")
    role = production.service_stack.resource("LoadBalancerRole")
    found = calls(sandbox, "elasticloadbalancing", role, "ModifyRule")
    names = sorted({one["eventName"] for one in found})
    rules = {one["requestParameters"]["ruleArn"] for one in found if one["eventName"] == "ModifyRule"}
    own = production.environment_stack.outputs["ProductionRuleArn"]
    evidence = f"the calls that changed something are {', '.join(names)}, ModifyRule was called on {len(rules)} rule"
    holds = set(names) <= {"ModifyRule", "RegisterTargets", "DeregisterTargets"} and rules == {own}
    return decided(holds, evidence)


@probe("rolling-at-creation", scenario="service")
def rolling_at_creation(sandbox: Sandbox) -> Verdict:
    """The service of an environment with rolling deployments."""
    service = _environment(sandbox, "first release", "dev").describe()
    strategy = service["deploymentConfiguration"].get("strategy", "none")
    advanced = [one for one in service["loadBalancers"] if one.get("advancedConfiguration")]
    text = f"{'with' if advanced else 'without'} AdvancedConfiguration"
    return decided(strategy == "ROLLING" and bool(advanced), f"the service was created with {strategy}, {text}")


@probe("other-production-rule", scenario="service")
def other_production_rule(sandbox: Sandbox) -> Verdict:
    """A deployment that names another production rule with the same weights, and the former one as its test rule."""
    development = _environment(sandbox, "second release", "dev")
    with sandbox.alone("service of dev"):
        before = development.describe()
        shifting = {**before["deploymentConfiguration"], "strategy": "BLUE_GREEN"}
        (balancer,) = before["loadBalancers"]
        advanced = balancer["advancedConfiguration"]
        former, live = advanced["productionListenerRule"], development.live_group()
        other = Stack.create(sandbox, "other-rule", _other_rule(development, live), **_IAM)
        rules = {"production": other.resource("Rule"), "test": former}
        named = {"productionListenerRule": rules["production"], "testListenerRule": former}
        moved = {**advanced, **named, "roleArn": other.outputs["Role"]}
        try:
            changed = [{**balancer, "advancedConfiguration": moved}]
            development.deploy(deploymentConfiguration=shifting, loadBalancers=changed)
            found = {name: development.live_group(rule) for name, rule in rules.items()}
        finally:
            # Back to the former rule and to the target group that rolling deployments need.
            development.deploy(deploymentConfiguration=shifting, loadBalancers=[balancer])
            development.deploy(deploymentConfiguration=before["deploymentConfiguration"])
    evidence = f"the traffic was on the {live} target group, and is on the {found} ones of the rules"
    return decided(live not in found.values(), evidence)


def _other_rule(environment: Environment, live: str) -> str:
    """A template with a second listener, whose rule leads to the same tasks, and a role that may shift its traffic."""
    groups = environment.groups()
    targets = [{"TargetGroupArn": arn, "Weight": 100 if name == live else 0} for name, arn in groups.items()]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": targets}}
    arn = environment.environment_stack.resource("LoadBalancer")
    changes = ("ModifyRule", "RegisterTargets", "DeregisterTargets", "Describe*")
    permissions = allow(*(f"elasticloadbalancing:{one}" for one in changes))
    listener = {"LoadBalancerArn": arn, "Port": 8443, "Protocol": "HTTP", "DefaultActions": [forward]}
    condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    rule = {"ListenerArn": {"Ref": "Listener"}, "Priority": 1, "Conditions": [condition], "Actions": [forward]}
    resources = {
        "Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": listener},
        "Rule": {"Type": "AWS::ElasticLoadBalancingV2::ListenerRule", "Properties": rule},
        "Role": role(trust(service="ecs.amazonaws.com"), permissions),
    }
    return template(resources, Outputs={"Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}})


@probe("rebalancing-while-shifting", scenario="service")
def rebalancing_while_shifting(sandbox: Sandbox) -> Verdict:
    """The service of production, after a shift of traffic."""
    service, deployment = sandbox.after("service", "second release").production
    strategy = service["deploymentConfiguration"].get("strategy", "none")
    rebalancing = service.get("availabilityZoneRebalancing", "not shown")
    status = deployment["status"]
    evidence = f"with {strategy} and AvailabilityZoneRebalancing {rebalancing}, the deployment is {status}"
    if rebalancing == "not shown":
        raise Undecided(evidence)
    return decided((strategy, rebalancing, status) == ("BLUE_GREEN", "ENABLED", "SUCCESSFUL"), evidence)


@probe("rolling-after-shift", scenario="service")
def rolling_after_shift(sandbox: Sandbox) -> Verdict:
    """A rolling deployment of a service whose traffic is on the alternate target group."""
    production = _environment(sandbox, "second release", "prod")
    if production.live_group() != "alternate":
        production.deploy()
    if (live := production.live_group()) != "alternate":
        raise Unavailable(f"after another shift, the traffic is on the {live} target group")
    # What a shift has replaced is deregistered at its end.
    sandbox.wait(lambda: not production.registered()["primary"], "the deregistration from the primary target group")
    rolling = {**production.describe()["deploymentConfiguration"], "strategy": "ROLLING"}
    production.deploy(deploymentConfiguration=rolling)
    registered = production.registered()
    evidence = f"the traffic is on the {production.live_group()} target group, the registered targets are {registered}"
    return decided(registered["primary"] > 0, evidence)


@probe("unchanged-nonce", scenario="service")
def unchanged_nonce(sandbox: Sandbox) -> Verdict:
    """An update of the service's stack that changes its scaling only."""
    development = _environment(sandbox, "second release", "dev")
    with sandbox.alone("service of dev"):
        before = development.deployments()
        stack = development.service_stack
        status = stack.update(Parameters=stack.changed_parameters(MaxTasks="5"), **_IAM)
        started = len(development.deployments()) - len(before)
    return decided(status == "UPDATE_COMPLETE" and not started, f"{status}, {started} deployments were started")


@probe("stopped-deployment", scenario="service")
def stopped_deployment(sandbox: Sandbox) -> Verdict:
    """A deployment whose tasks never become healthy, and which is stopped."""
    development = _environment(sandbox, "second release", "dev")
    with sandbox.alone("service of dev"):
        arn = _silent_tasks(sandbox, development)
        known = {one["serviceDeploymentArn"] for one in development.deployments()}
        stack = development.service_stack
        sandbox.client("cloudformation").update_stack(
            StackName=stack.name,
            UsePreviousTemplate=True,
            Parameters=stack.changed_parameters(TaskDefinitionArn=arn),
            **_IAM,
        )
        deployment = sandbox.wait(lambda: development.begun(known), "the begin of the deployment", 300)
        sandbox.client("ecs").stop_service_deployment(serviceDeploymentArn=deployment, stopType="ROLLBACK")
        stopped = time.monotonic()
        try:
            status = stack.settled(_IN_VAIN)
        except Unavailable:
            status = stack.describe()["StackStatus"]
            # The update may have ended meanwhile.
            with suppress(ClientError):
                sandbox.client("cloudformation").cancel_update_stack(StackName=stack.name)
            return refuted(f"{_IN_VAIN:.0f} seconds after the stop, the stack is in {status}")
        evidence = f"{time.monotonic() - stopped:.0f} seconds after the stop, the stack is in {status}"
        return decided(status.endswith("COMPLETE"), evidence)


@probe("end-of-pause", scenario="service")
def end_of_pause(sandbox: Sandbox) -> Verdict:
    """Updates of the service's stack that give the service a hook, and take it away."""
    development = _environment(sandbox, "second release", "dev")
    with sandbox.alone("service of dev"):
        stack = development.service_stack
        _let_pause(stack)
        before, hooks, statuses = len(development.deployments()), [], []
        for minutes in ("60", "0"):
            statuses.append(stack.update(Parameters=stack.changed_parameters(PauseMinutes=minutes), **_IAM))
            configuration = development.describe()["deploymentConfiguration"]
            hooks.append(len(configuration.get("lifecycleHooks", [])))
        started = len(development.deployments()) - before
    evidence = f"the stack was in {' and '.join(statuses)}, the hooks were {hooks}, {started} deployments were started"
    return decided(hooks == [1, 0] and not started, evidence)


@probe("rejected-pause", scenario="service")
def rejected_pause(sandbox: Sandbox) -> Verdict:
    """A deployment that pauses, and is rolled back then."""
    development = _environment(sandbox, "second release", "dev")
    with sandbox.alone("service of dev"):
        status, hook, known = _reject(sandbox, development)
        later = [one for one in development.deployments() if one["serviceDeploymentArn"] not in known]
    evidence = f"the hook was {hook['status']}, the stack is in {status}, {len(later)} deployments were started since"
    return decided(status == "UPDATE_ROLLBACK_COMPLETE" and not later, evidence)


@probe("pause-event", scenario="service")
def pause_event(sandbox: Sandbox) -> Verdict:
    """The event of a deployment that pauses."""
    development = _environment(sandbox, "second release", "dev")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Hook State Change"]}
    queue = Queue.with_resources(sandbox, "pause", {"Rule": rule(pattern)})
    with sandbox.alone("service of dev"):
        _reject(sandbox, development)

    def look() -> str:
        return next((one for one in queue.messages() if "HOOK_AWAITING_ACTION" in one), "")

    event = json.loads(sandbox.wait(look, "the event of the pause", 300))
    resources, name = event["resources"], event["detail"].get("eventName")
    prefixes = [sandbox.arn("ecs", f"{kind}/{development.name}/") for kind in ("service", "service-deployment")]
    named = any(one.startswith(tuple(prefixes)) for one in resources)
    return decided(named and name == "HOOK_AWAITING_ACTION", f"the event {name} has the resources {resources}")


def _let_pause(stack: Stack) -> None:
    """Let the deployments of a service's stack pause, which another probe may have done."""
    known = {one["ParameterKey"]: one["ParameterValue"] for one in stack.describe()["Parameters"]}
    if not _TRIAL.items() <= known.items():
        stack.update(Parameters=stack.changed_parameters(**_TRIAL), **_IAM)


def _reject(sandbox: Sandbox, development: Environment) -> tuple[str, dict[str, Any], set[str]]:
    """Let a deployment pause and roll it back; return the status of the stack, the hook, and the deployments known."""
    ecs, stack = sandbox.client("ecs"), development.service_stack
    _let_pause(stack)
    known = {one["serviceDeploymentArn"] for one in development.deployments()}
    arn = _registered(sandbox, development)
    sandbox.client("cloudformation").update_stack(
        StackName=stack.name,
        UsePreviousTemplate=True,
        Parameters=stack.changed_parameters(TaskDefinitionArn=arn, PauseMinutes="60"),
        **_IAM,
    )
    deployment = sandbox.wait(lambda: development.begun(known), "the begin of the deployment", 300)

    def paused() -> dict[str, Any]:
        (found,) = ecs.describe_service_deployments(serviceDeploymentArns=[deployment])["serviceDeployments"]
        if found["status"] not in ("PENDING", "IN_PROGRESS"):
            raise Unavailable(f"the deployment ended before its pause: {found.get('statusReason', found['status'])}")
        return next((one for one in found.get("lifecycleHookDetails", []) if one["status"] == "AWAITING_ACTION"), {})

    hook = sandbox.wait(paused, "the pause of the deployment", 900)
    ecs.continue_service_deployment(serviceDeploymentArn=deployment, hookId=hook["hookId"], action="ROLLBACK")
    return stack.settled(_IN_VAIN), hook, {*known, deployment}


def _silent_tasks(sandbox: Sandbox, development: Environment) -> str:
    """The ARN of a task definition whose tasks answer no request."""
    return _registered(sandbox, development, entryPoint=_SILENT)


def _registered(sandbox: Sandbox, development: Environment, **changes: Any) -> str:
    """The ARN of another task definition, whose container differs as said."""
    ecs = sandbox.client("ecs")
    described = ecs.describe_task_definition(taskDefinition=development.describe()["taskDefinition"])["taskDefinition"]
    registrable = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
    # The description has empty texts where nothing was said.
    definition = {key: described[key] for key in registrable if described.get(key)}
    container = {**described["containerDefinitions"][0], **changes}
    tags = [{"key": one["Key"], "value": one["Value"]} for one in sandbox.tags]
    sandbox.state.record("task definition", definition["family"])
    answer = ecs.register_task_definition(**definition | {"containerDefinitions": [container], "tags": tags})
    return str(answer["taskDefinition"]["taskDefinitionArn"])


@probe("approver-arn", scenario="service")
def approver_arn(sandbox: Sandbox) -> Verdict:
    """Who has approved the first release, which this caller has."""
    service: Service = sandbox.after("service", "first release")
    listed = sandbox.client("codepipeline").list_action_executions(pipelineName=service.name)["actionExecutionDetails"]
    approvals = [one for one in listed if one["input"]["actionTypeId"]["category"] == "Approval"]
    told = {one.get("updatedBy", "") for one in approvals if one["status"] == "Succeeded"}
    caller = sandbox.client("sts").get_caller_identity()["Arn"]
    role = caller.split("/")[1] if ":assumed-role/" in caller else None
    others = {one for one in told if one != caller and not (role and ":role/" in one and one.endswith(f"/{role}"))}
    evidence = f"a caller with the ARN {caller} has approved; CodePipeline names another one: {bool(others)}"
    return decided(bool(told) and not others, evidence)


@probe("console-of-approver", scenario="service")
def console_of_approver(sandbox: Sandbox) -> Verdict:
    """The calls on the way to an approval, with the approver's policy only."""
    service: Service = sandbox.after("service", "first release")
    policy, iam = service.foundation["ApproverArn"], sandbox.client("iam")
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"]
    statements = (document if isinstance(document, dict) else json.loads(document))["Statement"]
    caller = Caller.with_permissions(sandbox, "approver", *statements)
    pipelines, builds = caller.client("codepipeline"), caller.client("codebuild")
    caller.must(lambda: pipelines.get_pipeline_state(name=service.name))
    project = f"{service.name}-plan"
    (identifier,) = sandbox.client("codebuild").list_builds_for_project(projectName=project)["ids"][:1]
    log = sandbox.client("codebuild").batch_get_builds(ids=[identifier])["builds"][0]["logs"]
    made = {
        "ListPipelines": lambda: pipelines.list_pipelines(),
        "GetPipeline": lambda: pipelines.get_pipeline(name=service.name),
        "ListPipelineExecutions": lambda: pipelines.list_pipeline_executions(pipelineName=service.name),
        "ListActionExecutions": lambda: pipelines.list_action_executions(pipelineName=service.name),
        "ListBuildsForProject": lambda: builds.list_builds_for_project(projectName=project),
        "BatchGetBuilds": lambda: builds.batch_get_builds(ids=[identifier]),
        "BatchGetProjects": lambda: builds.batch_get_projects(names=[project]),
        "GetLogEvents": lambda: caller.client("logs").get_log_events(
            logGroupName=log["groupName"], logStreamName=log["streamName"]
        ),
    }
    refusals = {name: message for name, call in made.items() if (message := denied(call, name))}
    if refusals:
        return refuted("; ".join(f"{name}: {message}" for name, message in refusals.items()))
    raise Undecided(
        f"the policy allows {', '.join(made)}; which calls the console makes, only the console shows",
        "Run with --keep. As a user with only the policy of the output ApproverArn, open CodePipeline, the pipeline,"
        " its approval, and the link to the plan's log: does any page show an error?",
    )
