"""The strategy gate passes rolling deployments only while the primary target group has all the traffic."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.conftest import function_of, machine_environment, run_script

OPEN, CLOSED_BY_TRAFFIC, USAGE_ERROR, CLOSED_UNREAD, CLOSED_BY_POLICY, CLOSED_BY_HTTPS = 0, 1, 2, 3, 4, 5
STACK, RULE, PRIMARY, ALTERNATE = "hello-service-prod-environment", "arn:rule", "arn:primary", "arn:alternate"
HTTPS_RULE = "arn:https-rule"
PROTECTED = "AWS::ElasticLoadBalancingV2::ListenerRule"
POLICY_CALL = ["aws", "cloudformation", "get-stack-policy", "--stack-name", STACK, "--output", "json"]
REMEDY = (
    "release a new version with the previous deployment strategy, which shifts the traffic, then change the strategy"
)


def weighted(**weights: int) -> dict[str, Any]:
    """The response of Elastic Load Balancing for the production rule."""
    groups = [{"TargetGroupArn": f"arn:{name}", "Weight": weight} for name, weight in weights.items()]
    return {"Rules": [{"RuleArn": RULE, "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]}


class Gate:
    """The gate of a generated service, with responses of Elastic Load Balancing.

    Attributes:
        policy: The response of CloudFormation; by default the stack policy that the service's file gives the stack.
        stacks: The outputs and parameters of the stacks that exist, by name.
        https: The weights of the rule for HTTPS.
        missing: The error about stacks that do not exist.
    """

    def __init__(self, service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.script = service / "config/scripts/strategy_gate.py"
        self.monkeypatch = monkeypatch
        self.calls: list[list[str]] = []
        given = json.loads((service / "infrastructure/prod/environment.json").read_text())["StackPolicy"]
        self.policy: object = {"StackPolicyBody": json.dumps(given)}
        self.stacks: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
        self.https: dict[str, int] = {}
        self.missing = "An error occurred (ValidationError) when calling DescribeStacks: Stack with id x does not exist"

    def domain(self, *, named: bool, answered: bool, **weights: int) -> None:
        """Have a domain that was released, whose rule the service names or not, and which the answers have or not."""
        kept = {"PrimaryWeight": "0", "AlternateWeight": "100"}
        self.stacks["hello-service-prod-domain"] = ({"ProductionRuleArn": HTTPS_RULE}, kept)
        self.stacks["hello-service-prod-service"] = ({"ProductionRuleArn": HTTPS_RULE} if named else {}, {})
        self.https = weights
        if answered:
            (self.service / "infrastructure/prod/domain.json").write_text("{}")

    def strategy(self, name: object, environment: str = "prod") -> None:
        file = self.service / "infrastructure" / environment / "service.json"
        document = json.loads(file.read_text())
        document["Parameters"]["DeploymentStrategy"] = name
        file.write_text(json.dumps(document))

    def run(
        self, answer: object = None, *, error: str = "", raised: Exception | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the gate in this process."""

        def aws(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            assert options["timeout"] > 0
            if raised:
                raise raised
            if command[2] == "describe-stacks":
                return _described(command, self.stacks, self.missing)
            self.calls.append(command)
            if HTTPS_RULE in command:
                return subprocess.CompletedProcess(command, 0, json.dumps(weighted(**self.https)), "")
            if command[2] == "get-stack-policy" and self.stacks:
                return subprocess.CompletedProcess(command, 0, json.dumps(self.policy), "")
            policy = command == [word.replace("-prod-", f"-{environment}-") for word in POLICY_CALL]
            given = self.policy if policy else answer
            output = given if isinstance(given, str) else json.dumps(given)
            if policy:
                return subprocess.CompletedProcess(command, 0, output, "")
            return subprocess.CompletedProcess(command, 254 if error else 0, "" if error else output, error)

        environment = variables.get("ENVIRONMENT_NAME", "prod")
        given = {"APP_NAME": "hello-service", "ENVIRONMENT_NAME": "prod", "PRODUCTION_RULE": RULE}
        given |= {"TARGET_GROUP": PRIMARY, **variables}
        return run_script(self.monkeypatch, self.script, aws, given)


def _described(
    command: list[str], stacks: dict[str, tuple[dict[str, str], dict[str, str]]], missing: str
) -> subprocess.CompletedProcess[str]:
    """CloudFormation's answer about a stack."""
    name = command[command.index("--stack-name") + 1]
    if name not in stacks:
        return subprocess.CompletedProcess(command, 254, "", missing)
    outputs, parameters = stacks[name]
    stack = {
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }
    return subprocess.CompletedProcess(command, 0, json.dumps({"Stacks": [stack]}), "")


@pytest.fixture
def gate(service: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(service, monkeypatch)


def opened(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (OPEN, ""), done.stdout + done.stderr
    assert done.stdout.startswith("Strategy gate open: ")


def closed(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that the gate closed with one sentence, which has a remedy."""
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    assert done.stderr.startswith("Strategy gate closed: ")
    assert done.stderr.endswith(".\n")
    assert done.stderr.count("\n") == done.stderr.count("; ") == 1
    for word in words:
        assert word in done.stderr


def test_a_rolling_deployment_passes_while_the_primary_target_group_has_the_traffic(gate: Gate) -> None:
    opened(gate.run(weighted(primary=100, alternate=0)))
    assert gate.calls == [POLICY_CALL, ["aws", "elbv2", "describe-rules", "--rule-arns", RULE, "--output", "json"]]


@pytest.mark.parametrize(
    ("weights", "percent"),
    [
        ({"primary": 0, "alternate": 100}, 0),
        ({"alternate": 100}, 0),
        ({"primary": 0, "alternate": 0}, 0),
        ({"primary": 90, "alternate": 10}, 90),
        ({"primary": 999, "alternate": 1}, 99),
        ({"primary": 100, "alternate": 0, "other": 100}, 50),
    ],
)
def test_a_rolling_deployment_stops_while_another_target_group_has_traffic(
    gate: Gate, weights: dict[str, int], percent: int
) -> None:
    closed(gate.run(weighted(**weights)), CLOSED_BY_TRAFFIC, f"of prod has {percent} % of the traffic", REMEDY)


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "CANARY", "LINEAR"])
def test_deployments_that_shift_traffic_pass_without_a_look(gate: Gate, strategy: str) -> None:
    gate.strategy(strategy)
    opened(gate.run(weighted(primary=0, alternate=100)))
    assert gate.calls == [POLICY_CALL]


@pytest.mark.parametrize("strategy", ["ROLLING", "CANARY"])
def test_a_stack_that_may_not_be_read_since_it_does_not_exist_is_no_domain(gate: Gate, strategy: str) -> None:
    """What does not exist has no tags, by which IAM may deny the question."""
    gate.strategy(strategy)
    gate.missing = "An error occurred (AccessDenied) when calling DescribeStacks: not authorized"
    opened(gate.run(weighted(primary=100, alternate=0)))


class TestDomain:
    """The service goes from the rule on port 80 to that for HTTPS and back."""

    @pytest.mark.parametrize("strategy", ["ROLLING", "CANARY"])
    def test_a_service_may_take_the_new_rule_once_both_lead_to_the_same_tasks(self, gate: Gate, strategy: str) -> None:
        gate.strategy(strategy)
        gate.domain(named=False, answered=True, primary=100, alternate=0)
        opened(gate.run(weighted(primary=100, alternate=0)))
        closed(gate.run(weighted(primary=0, alternate=100)), CLOSED_BY_HTTPS, "lead to different tasks")

    def test_the_rule_that_the_service_names_says_where_the_traffic_is(self, gate: Gate) -> None:
        gate.domain(named=True, answered=True, primary=0, alternate=100)
        closed(gate.run(weighted(primary=100)), CLOSED_BY_TRAFFIC, "has 0 % of the traffic")
        gate.domain(named=True, answered=True, primary=100, alternate=0)
        opened(gate.run(weighted(alternate=100)))

    @pytest.mark.parametrize(
        ("named", "remedy"), [(True, "release this once with the strategy rolling"), (False, "; run")]
    )
    def test_no_shift_leaves_a_rule_behind(self, gate: Gate, named: bool, remedy: str) -> None:
        gate.domain(named=named, answered=False, primary=100, alternate=0)
        gate.strategy("BLUE_GREEN")
        done = gate.run(weighted(primary=100, alternate=0))
        closed(done, CLOSED_BY_HTTPS, "hello-service-prod-domain", remedy, "`scaffold deploy`")
        gate.strategy("ROLLING")
        opened(gate.run(weighted(primary=100, alternate=0)))

    def test_a_service_goes_back_to_a_rule_that_leads_to_its_tasks_only(self, gate: Gate) -> None:
        gate.domain(named=True, answered=False, primary=100, alternate=0)
        closed(gate.run(weighted(alternate=100)), CLOSED_BY_HTTPS, "without approve_running")

    def test_its_stack_policy_counts_too(self, gate: Gate) -> None:
        gate.domain(named=True, answered=True, primary=100)
        opened(gate.run(weighted(primary=100)))
        assert [call[-3] for call in gate.calls if call[2] == "get-stack-policy"] == [
            STACK,
            "hello-service-prod-domain",
        ]

    def test_the_weights_are_those_of_the_live_rule_and_then_stay(self, gate: Gate) -> None:
        source = Path(__file__).parents[2] / "template/config/scripts/{% if https %}domain_weights.py{% endif %}"
        gate.script = gate.script.with_name("domain_weights.py")
        gate.script.write_bytes(source.read_bytes())
        assert gate.run(weighted(primary=10, alternate=90)).stdout == "10 90\n"
        gate.domain(named=True, answered=True, primary=100, alternate=0)
        assert gate.run(weighted(primary=10, alternate=90)).stdout == "0 100\n"


def test_each_environment_has_its_own_strategy(gate: Gate) -> None:
    gate.strategy("CANARY", "dev")
    opened(gate.run(weighted(alternate=1), ENVIRONMENT_NAME="dev"))
    closed(gate.run(weighted(alternate=1)), CLOSED_BY_TRAFFIC)


def test_an_unknown_strategy_counts_as_rolling(gate: Gate) -> None:
    gate.strategy("SOMETHING_NEW")
    closed(gate.run(weighted(alternate=1)), CLOSED_BY_TRAFFIC)


@given(st.dictionaries(st.sampled_from([PRIMARY, ALTERNATE, "arn:other"]), st.integers(0, 999)))
def test_all_the_traffic_is_all_the_weight(weights: dict[str, int]) -> None:
    percentage = function_of("strategy_gate.py", "percentage")
    others = sum(weight for group, weight in weights.items() if group != PRIMARY)
    assert (percentage(weights, PRIMARY) == 100) == (weights.get(PRIMARY, 0) > 0 and not others)


def deny(**changes: Any) -> dict[str, Any]:
    """A statement that protects the listener rule, but for these changes."""
    condition = {"StringEquals": {"ResourceType": [PROTECTED]}}
    whole = {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*", "Condition": condition}
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "statement",
    [
        deny(),
        deny(Action=["Update:*"], Resource=["*"]),
        deny(Condition={"StringEquals": {"ResourceType": PROTECTED}}),
        deny(Condition={"StringEquals": {"ResourceType": ["AWS::EC2::VPC", PROTECTED]}}),
        deny(Condition=None),
    ],
)
@pytest.mark.parametrize("strategy", ["ROLLING", "CANARY"])
def test_a_stack_policy_that_protects_the_listener_rule_opens_the_gate(
    gate: Gate, strategy: str, statement: dict[str, Any]
) -> None:
    gate.strategy(strategy)
    allow = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    gate.policy = {"StackPolicyBody": json.dumps({"Statement": [allow, statement]})}
    opened(gate.run(weighted(primary=100)))


@pytest.mark.parametrize(
    "policy",
    [
        {},  # the stack has none
        [],
        {"StackPolicyBody": "no JSON"},
        {"StackPolicyBody": "{}"},
        *(
            {"StackPolicyBody": json.dumps({"Statement": [one]})}
            for one in (
                deny(Effect="Allow"),
                deny(Action="Update:Replace"),
                deny(Action=None),
                deny(Resource="LogicalResourceId/Other"),
                deny(NotResource="*", Resource=None),
                deny(Condition={"StringEquals": {"ResourceType": ["AWS::EC2::VPC"]}}),
                deny(Condition={"StringNotEquals": {"ResourceType": [PROTECTED]}}),
                deny(Condition={}),
            )
        ),
    ],
)
@pytest.mark.parametrize("strategy", ["ROLLING", "CANARY"])
def test_a_stack_policy_that_does_not_closes_it(gate: Gate, strategy: str, policy: object) -> None:
    gate.strategy(strategy)
    gate.policy = policy
    done = gate.run(weighted(primary=100))
    closed(done, CLOSED_BY_POLICY, STACK, "set the StackPolicy of infrastructure/prod/environment.json")
    assert gate.calls == [POLICY_CALL]


class TestFailsClosed:
    @pytest.mark.parametrize(
        "answer",
        [
            "",
            "no JSON",
            [],
            {},
            {"Rules": []},
            {"Rules": [{"Actions": []}]},
            {"Rules": [{"Actions": [{"Type": "fixed-response"}]}]},
            {"Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"Weight": 1}]}}]}]},
            {"Rules": weighted(primary=1)["Rules"] * 2},
        ],
    )
    def test_for_an_unexpected_response(self, gate: Gate, answer: object) -> None:
        closed(gate.run(answer), CLOSED_UNREAD, RULE, "restore its action")

    def test_for_an_error_in_the_words_of_aws(self, gate: Gate) -> None:
        error = (
            "\nAn error occurred (RuleNotFound) when calling the DescribeRules operation: One or more rules not found\n"
        )
        closed(gate.run(error=error), CLOSED_UNREAD, "One or more rules not found; fix this, then retry the stage")

    def test_for_permissions_that_are_older_than_the_pipeline(self, gate: Gate) -> None:
        error = "\nAn error occurred (AccessDenied) when calling the DescribeRules operation: no boundary allows it.\n"
        closed(gate.run(error=error), CLOSED_UNREAD, "no boundary allows it; run `scaffold deploy`")

    def test_for_a_call_that_hangs(self, gate: Gate) -> None:
        closed(gate.run(raised=subprocess.TimeoutExpired("aws", 120)), CLOSED_UNREAD, "timed out after 120 s")

    def test_without_the_aws_cli(self, gate: Gate) -> None:
        closed(gate.run(raised=FileNotFoundError()), CLOSED_UNREAD, "the AWS CLI is not installed")

    def test_without_a_strategy(self, gate: Gate) -> None:
        file = gate.service / "infrastructure/prod/service.json"
        for text in ("{}", '{"Parameters": {}}', "no JSON", "[]"):
            file.write_text(text)
            closed(gate.run(), CLOSED_UNREAD, "infrastructure/prod/service.json has no parameter DeploymentStrategy")
        file.unlink()
        closed(gate.run(), CLOSED_UNREAD, "infrastructure/prod/service.json has no parameter DeploymentStrategy")
        assert gate.calls == [POLICY_CALL] * 5

    def test_for_a_symbolic_link(self, gate: Gate) -> None:
        file = gate.service / "infrastructure/prod/service.json"
        file.rename(file.with_name("other.json"))
        file.symlink_to("other.json")
        closed(gate.run(), CLOSED_UNREAD, "infrastructure/prod/service.json is a symbolic link")

    @pytest.mark.parametrize("missing", ["APP_NAME", "ENVIRONMENT_NAME", "PRODUCTION_RULE", "TARGET_GROUP"])
    def test_without_a_variable(self, gate: Gate, missing: str) -> None:
        done = gate.run(weighted(primary=100), **{missing: ""})
        assert done.returncode == USAGE_ERROR
        assert missing in done.stderr


@pytest.fixture
def balancer(local: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client for Elastic Load Balancing on local AWS, and the ARNs of a rule and its two target groups."""
    for name, value in local.items():
        monkeypatch.setenv(name, value)
    elb = boto3.Session().client("elbv2", region_name="us-east-1")
    (made,) = elb.create_load_balancer(Name="gate", Subnets=["subnet-1", "subnet-2"])["LoadBalancers"]
    groups = [
        elb.create_target_group(Name=name, Protocol="HTTP", Port=8080, VpcId="vpc-1")["TargetGroups"][0]
        for name in ("primary", "alternate")
    ]
    primary, alternate = (group["TargetGroupArn"] for group in groups)
    reply = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    (listener,) = elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[reply]
    )["Listeners"]
    (rule,) = elb.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=1000,
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": primary}],
    )["Rules"]
    yield elb, rule["RuleArn"], primary, alternate
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    for arn in (primary, alternate):
        elb.delete_target_group(TargetGroupArn=arn)


def test_the_aws_cli_reads_stack_policy_and_live_rule(generated: Path, local: dict[str, str], balancer: Any) -> None:
    elb, rule, primary, alternate = balancer
    cloudformation = boto3.Session().client("cloudformation", region_name="us-east-1")
    topic = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    cloudformation.create_stack(StackName=STACK, TemplateBody=topic)

    def run() -> subprocess.CompletedProcess[str]:
        variables = {"APP_NAME": "hello-service", "ENVIRONMENT_NAME": "prod", "PRODUCTION_RULE": rule}
        variables["TARGET_GROUP"] = primary
        return subprocess.run(
            [sys.executable, generated / "config/scripts/strategy_gate.py"],
            env=machine_environment(**local, **variables),
            capture_output=True,
            text=True,
            check=False,
        )

    closed(run(), CLOSED_BY_POLICY, STACK)
    cloudformation.set_stack_policy(StackName=STACK, StackPolicyBody=json.dumps({"Statement": [deny()]}))
    opened(run())
    elb.modify_rule(RuleArn=rule, Actions=[{"Type": "forward", "TargetGroupArn": alternate}])
    closed(run(), CLOSED_BY_TRAFFIC, "has 0 % of the traffic")
