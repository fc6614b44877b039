"""The plan of a pull request says what its merge would change, runs nothing of it, and sends nothing to look up."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scaffold.core.git import git
from tests.deploy.services import commit
from tests.service.conftest import import_from, run_script
from tests.service.plans import Production, client, refused, topic

Document = dict[str, Any]
RUN = subprocess.run


class Requests:
    """A service whose production is deployed from main, with the scripts of another copy of main.

    Attributes:
        root: A clone of its repository, which CodeCommit serves.
    """

    def __init__(self, production: Production, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.production = production
        self.root = production.root
        self.environments = "prod"
        self._scripts = scripts
        self._monkeypatch = monkeypatch
        git("init", "--quiet", "--initial-branch", "main", cwd=self.root)
        self.main = commit(self.root)

    def change(self, *edits: Callable[[Path], object]) -> None:
        """Commit a change of main to the branch of the pull request."""
        git("checkout", "--quiet", "-B", "topic", self.main, cwd=self.root)
        for edit in edits:
            edit(self.root)
        self.commit = commit(self.root)
        git("checkout", "--quiet", "main", cwd=self.root)

    def template(self, kind: str, template: Document) -> Callable[[Path], object]:
        """An edit of a template of production."""
        path = f"infrastructure/{'prod/' if kind == 'task-definition' else ''}{kind}.yaml"
        return lambda root: (root / path).write_text(json.dumps(template, indent=2))

    def plan(self) -> tuple[int, list[Document], str]:
        """Run the script; return exit code, results and errors."""
        given = {"APP_NAME": self.production.app, "ENVIRONMENTS": self.environments, "PULL_REQUEST": "7"}
        self.production.calls.clear()
        done = run_script(
            self._monkeypatch,
            self._scripts / "plan_pull_request.py",
            self._call,
            given | {"COMMIT": self.commit},
            ["--poll-seconds", "0.01"],
        )
        lines = [line.removeprefix("PLAN ") for line in done.stdout.splitlines()]
        return done.returncode, [json.loads(line) for line in lines], done.stderr

    def _call(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        if command[0] == "git":
            return RUN(command, **options)
        if command[1:3] == ["codecommit", "get-repository"]:
            answer = {"repositoryMetadata": {"cloneUrlHttp": str(self.root)}}
            return subprocess.CompletedProcess(command, 0, json.dumps(answer), "")
        return self.production._aws(command, **options)


@pytest.fixture
def requests(service: Path, generated: Path, local: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Requests:
    made = Production("requests", service, client(local), monkeypatch)
    made.write()
    made.release()
    return Requests(made, generated / "config/scripts", monkeypatch)


@pytest.fixture
def comment(generated: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    import_from(monkeypatch, generated / "config/scripts")
    return importlib.import_module("plan_comment")


def said(comment: ModuleType, results: list[Document]) -> str:
    """What the comment says of a plan."""
    return str(comment.plan_text([f"PLAN {json.dumps(one)}" for one in results], "plan:1"))


def with_resource(template: Document, **resource: Any) -> Document:
    """A template with a resource more."""
    return template | {"Resources": {**template["Resources"], "More": resource}}


def test_the_comment_lists_what_the_merge_would_change(requests: Requests, comment: ModuleType) -> None:
    alarms = with_resource(topic("louder"), Type="AWS::SNS::Topic")
    requests.change(requests.template("alarms", alarms))
    code, results, errors = requests.plan()
    assert (code, errors) == (0, "")
    (stack,) = results[0]["stacks"]
    assert stack["kind"] == "alarms"
    assert sorted(stack["changes"]) == [["create", "More", "AWS::SNS::Topic"], ["update", "Topic", "AWS::SNS::Topic"]]
    assert "- **prod**, alarms: changed `Topic`; added `More`" in said(comment, results)
    (made,) = requests.production.requests("cloudformation:create-change-set")
    assert made["ChangeSetName"] == f"plan-pull-request-7-{requests.commit[:12]}"
    # The change set would be executed with the role of the stack; one that is given would replace it.
    assert not {"RoleARN", "Tags", "IncludeNestedStacks", "ChangeSetType"} & set(made)
    assert requests.production.change_sets() == []
    assert "cloudformation:execute-change-set" not in dict(requests.production.calls)


def test_what_the_pull_request_does_not_change_is_not_looked_at(requests: Requests, comment: ModuleType) -> None:
    """Even where main is ahead of what is deployed."""
    requests.production.templates["alarms"] = topic("not released yet")
    requests.production.write()
    requests.main = commit(requests.root)
    requests.change(lambda root: (root / "app/README.md").write_text("new"))
    code, results, _ = requests.plan()
    assert (code, results[0]["stacks"]) == (0, [])
    assert requests.production.calls == []
    assert said(comment, results).startswith("- No stack changes, but for a new image")


def test_a_branch_that_is_behind_main_takes_nothing_back(requests: Requests) -> None:
    requests.change(requests.template("network", topic("new", "Network", "Network")))
    requests.production.templates["alarms"] = topic("of main")
    requests.production.write()
    commit(requests.root)
    requests.production.release("alarms")
    _, results, _ = requests.plan()
    assert [one["kind"] for one in results[0]["stacks"]] == ["network"]


def test_the_deployed_image_stays_and_the_service_follows_its_task_definition(requests: Requests) -> None:
    template = json.loads(json.dumps(requests.production.templates["task-definition"]))
    template["Resources"]["Topic"]["Properties"]["DisplayName"] = "x"
    requests.change(requests.template("task-definition", template))
    _, results, _ = requests.plan()
    assert results[0]["stacks"] == [
        {"kind": "task-definition", "changes": [["update", "Topic", "AWS::SNS::Topic"]]},
        {"kind": "service", "changes": [["new task definition", "", ""]]},
    ]


HOSTILE: dict[str, tuple[str, str]] = {
    "transform": ("Transform: Macro\n", "a transform"),
    "include": (
        "Metadata:\n  'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: 's3://x/y'}}\n",
        "a transform",
    ),
    "short transform": ("Metadata: !Transform {Name: Macro}\n", "a transform"),
    "escaped transform": ('"Tr\\u0061nsform": Macro\n', "an escape"),
    "encoded transform": ("Metadata: !!binary VHJhbnNmb3Jt\n", "a tag that is no function"),
    "named tag": ("Metadata: !<tag:x> y\n", "a tag that is no function"),
    "directive": ("%TAG ! tag:x\n", "a directive"),
    "dynamic reference": ("Metadata: {A: '{{resolve:ssm:/password}}'}\n", "a dynamic reference"),
    "secret": ("Metadata: {A: !Sub 'x{{resolve:secretsmanager:${AWS::StackName}}}'}\n", "a dynamic reference"),
    "reference in pieces": ("Metadata: {A: !Join ['', ['{', '{resolve:ssm:x}}']]}\n", "an open brace"),
    "reference around a variable": ("Metadata: {A: !Sub '{${AWS::NoValue}{resolve:ssm:x}}'}\n", "an open brace"),
    "reference literal of Sub": ("Metadata: !Sub '${!{resolve:ssm:x}}'\n", "a tag that is no function"),
    "piece before a delimiter": (
        "Metadata: !Join ['', [!Select [0, !Split ['|', 'a{|b']], '{resolve:ssm:x}}']]\n",
        "an open brace before a delimiter",
    ),
    "JSON piece before a delimiter": (
        'Metadata: {"Fn::Join": ["", [{"Fn::Select": [0, {"Fn::Split": ["/", "a{\\/b"]}]}, "{resolve:ssm:x}}"]]}\n',
        "an open brace before a delimiter",
    ),
    "variable before a delimiter": ("Metadata: !Split ['ab', '${abc}']\n", "an open brace before a delimiter"),
    "delimiter in two pieces": (
        "Metadata: !Split ['ab', !Join ['', ['x{a', 'b']]]\n",
        "an open brace before a delimiter",
    ),
    "delimiter of a parameter": ("Metadata: !Split [!Ref D, 'a{|b']\n", "a Split whose delimiter"),
    "item of a list of text": ("#\n  P: {Type: CommaDelimitedList, Default: 'a{ ,b'}\n", "an open brace"),
    "last item of a list of text": ("#\n  P: {Type: CommaDelimitedList, Default: 'a, b{ '}\n", "an open brace"),
    "piece in a map of Sub": ("Metadata: !Sub ['${A}{resolve:ssm:x}}', {A: 'x{'}]\n", "an open brace"),
    "piece in a mapping": ("#\n  M: {A: {B: 'x{', C: '{resolve:ssm:x}}'}}\n", "an open brace"),
    "piece in a list of a list": ("#\n  - - a{\n    - '{resolve:ssm:x}}'\n", "an open brace"),
    "piece before a comment": ("#\n  - a{\n    # deeper\n  - '{resolve:ssm:x}}'\n", "an open brace"),
    "piece of two lines": ("#\n  - a\n    {\n      # deeper\n  - '{resolve:ssm:x}}'\n", "an open brace"),
    "piece after a colon": ("#\n  - - a:b {\n    - '{resolve:ssm:x}}'\n", "an open brace"),
    "block piece": ("#\n  - |-\n    {\n  - '{resolve:ssm:x}}'\n", "an open brace"),
    "quoted piece of two lines": ("#\n  - 'a\n    b{'\n  - '{resolve:ssm:x}}'\n", "an open brace"),
    "quoted piece before a comment": ("#\n  - 'a{'# comment\n  - '{resolve:ssm:x}}'\n", "an open brace"),
    "piece before another line break": ("#\n  - a{\r  - '{resolve:ssm:x}}'\r", "an open brace"),
    "parameter of ssm": (
        "#\n  P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /password}\n",
        "Parameter Store",
    ),
    "list of ssm": ("#\n  P: {Type: AWS::SSM::Parameter::Value<List<String>>, Default: x}\n", "Parameter Store"),
    "parameter of a network": ("#\n  P: {Type: AWS::EC2::VPC::Id}\n", "a parameter of a type of AWS"),
    "nested stack": ("#\n  P: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x}}\n", "a nested stack"),
    "module": ("#\n  P: {Type: My::Own::Thing::MODULE}\n", "a module"),
}


HARMLESS = (
    'B: !Sub |\n  {\n    "a": {\n      "b": {"c": "${X}"}\n    }\n  }\nc: 1\n',
    '{"a": {"b": {"Ref": "x"}}}',
    '{\n "a": {"Fn::Sub": "x"}\n}',
    "A: {'a': {'b': !Ref c}, 'c': [!GetAtt d.e, !If [f, 1, 2]]}",
    "A: !Base64 'x'\nB: Hello! b\nC: '!yes'\nD: !Ref\n  y\n",
    "A:\n  Type: AWS::Events::Rule\n  Name: x\nB: {Type: AWS::SSM::Parameter}\n",
    "A: 5 % of \\d\n",
    "A: !Split [',', !Ref B]\nC: {D: !Split [':', '${E}'], F: {}}\n",
    '{\n "A": {"Fn::Split": [",", {"Ref": "b"}]},\n "c": {\n  "d": "{}"\n }\n}',
    "A:\n  Fn::Split:\n    - '/'\n    - '{b/c}'\n",
    "A: { # flow\n  b: c\n }\n",
)


@pytest.fixture
def refusal(comment: ModuleType) -> Callable[..., str | None]:
    """Why a template with parameters and tags is refused."""
    refusals, stacks = map(importlib.import_module, ("plan_refusals", "plan_stacks"))

    def of(template: str, parameters: Document | None = None, tags: Document | None = None) -> str | None:
        source = stacks.Source("alarms", "name", template, parameters or {}, tags, None)
        found: str | None = refusals.refusal(source)
        return found

    return of


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cloudformation_would_run_or_look_up_is_refused(refusal: Callable[..., str | None], name: str) -> None:
    added, what = HOSTILE[name]
    for template in (f"{added}Resources: {{}}\n", f"Resources: {{}}\n{added}"):
        found = refusal(template)
        assert found
        assert what in found


@pytest.mark.parametrize("template", HARMLESS)
def test_what_only_looks_like_it_is_not_refused(refusal: Callable[..., str | None], template: str) -> None:
    assert refusal(template) is None


def test_no_parameter_or_tag_begins_a_dynamic_reference(refusal: Callable[..., str | None]) -> None:
    for value in ("{{resolve:ssm:x}}", "{"):
        assert refusal("", {"A": value}) == "a parameter has an open brace, which could begin a dynamic reference"
        assert refusal("", None, {"A": value}) == "a tag has an open brace, which could begin a dynamic reference"
    assert refusal("", {"A": "a,b"}, {"b": "}"}) is None


def test_what_is_refused_is_not_sent_and_the_comment_says_so(requests: Requests, comment: ModuleType) -> None:
    requests.change(lambda root: (root / "infrastructure/alarms.yaml").write_text("Transform: Macro\nResources: {}\n"))
    code, results, _ = requests.plan()
    why = (
        "the stack requests-prod-alarms is refused, since its template has a transform, which CloudFormation would run"
    )
    assert (code, results[0]["problem"]) == (0, why)
    assert requests.production.calls == []
    assert f"- **prod** is not planned: `{why}`" in said(comment, results)


def test_no_template_of_the_kit_is_refused(generated: Path, generated_custom: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        import_from(patch, generated / "config/scripts")
        refusals, stacks = map(importlib.import_module, ("plan_refusals", "plan_stacks"))
        for root in (generated, generated_custom):
            for environment in root.glob("infrastructure/*/"):
                for source in stacks.sources("app", environment.name, "image", "version", root):
                    assert refusals.refusal(source) is None, source.name


def test_scripts_of_the_pull_request_are_not_run(requests: Requests) -> None:
    def edit(root: Path) -> None:
        for script in (root / "config/scripts").glob("*.py"):
            script.write_text("raise SystemExit('of the pull request')\n")

    requests.change(edit, requests.template("alarms", topic("louder")))
    code, results, _ = requests.plan()
    assert (code, [one["kind"] for one in results[0]["stacks"]]) == (0, ["alarms"])


def test_links_lead_nowhere(requests: Requests, tmp_path: Path) -> None:
    """A template that is a link is missing, whatever it leads to."""
    secret = tmp_path / "secret"
    secret.write_text("Resources: {}\n")

    def edit(root: Path) -> None:
        (root / "infrastructure/alarms.yaml").unlink()
        (root / "infrastructure/alarms.yaml").symlink_to(secret)

    requests.change(edit)
    code, results, _ = requests.plan()
    assert (code, results[0]["problem"]) == (0, "infrastructure/alarms.yaml cannot be read")


def test_files_that_say_nothing_are_said(requests: Requests) -> None:
    for content in (b"[" * 100_000, b"\xff", b"[]", b'{"Parameters": 5}', b'{"Tags": [1]}', b"1" * 5000):

        def edit(root: Path, content: bytes = content) -> None:
            (root / "infrastructure/prod/service.json").write_bytes(content)

        requests.change(edit)
        code, results, errors = requests.plan()
        problem = results[0]["problem"]
        assert (code, errors, requests.production.calls) == (0, "", [])
        assert problem == "infrastructure/prod/service.json cannot be read"
        assert results[0]["costs"][1] is None


def test_other_files_do_not_matter(requests: Requests) -> None:
    """One with an unusual name, a large one, and one that is a folder's name."""

    def edit(root: Path) -> None:
        (root / "infrastructure/ö\n.yaml").write_text("x")
        (root / "infrastructure/large.yaml").write_text("x" * 1_000_001)
        (root / "infrastructure/prod.d").mkdir()
        (root / "infrastructure/prod.d/service.json").write_text("{}")

    requests.change(edit)
    code, results, _ = requests.plan()
    assert (code, results[0]["stacks"]) == (0, [])


def test_a_change_that_cloudformation_refuses_fails(requests: Requests, comment: ModuleType) -> None:
    """A release would fail, too."""
    template = topic("x") | {"Parameters": {"Needed": {"Type": "String"}}}
    requests.change(requests.template("alarms", template))
    requests.production.faults["cloudformation:create-change-set"] = refused("ValidationError", "Needed has no value")
    code, results, _ = requests.plan()
    assert code == 1
    assert results[0]["rejected"].startswith("CloudFormation refuses the change of requests-prod-alarms: ")
    assert "- **prod** cannot be released: `CloudFormation refuses" in said(comment, results)


@pytest.mark.parametrize(
    ("code", "message", "ends"),
    [
        ("ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.", 0),
        ("AccessDenied", "no", 3),
    ],
)
def test_a_stack_that_is_being_changed_is_not_planned_and_a_refusal_of_aws_fails(
    requests: Requests, code: str, message: str, ends: int
) -> None:
    requests.change(requests.template("alarms", topic("louder")))
    requests.production.faults["cloudformation:create-change-set"] = refused(code, message)
    found, results, _ = requests.plan()
    assert found == ends
    assert "problem" in results[0]


def test_what_conflicts_with_main_or_is_gone_is_not_planned(requests: Requests, comment: ModuleType) -> None:
    requests.change(requests.template("alarms", topic("louder")))
    requests.production.templates["alarms"] = topic("quieter")
    requests.production.write()
    commit(requests.root)
    assert requests.plan()[:2] == (0, [{"problem": "it conflicts with main"}])
    requests.commit = "0" * 40
    code, results, _ = requests.plan()
    assert code == 0
    assert said(comment, results).splitlines() == [
        f"- The pull request is not planned: `no branch has the commit {'0' * 40}`",
        "- To plan again, once what prevents it has changed: `aws codebuild retry-build --id plan:1`",
    ]


def test_environments_that_come_and_go_are_said(requests: Requests) -> None:
    def edit(root: Path) -> None:
        (root / "infrastructure/prod").rename(root / "infrastructure/other")

    requests.change(edit)
    code, results, _ = requests.plan()
    assert code == 0
    assert [(one["environment"], one["problem"]) for one in results] == [
        ("prod", "its file infrastructure/prod/service.json is gone, and its stacks would stay"),
        ("other", "it is not released yet, and scaffold deploy prepares its stacks"),
    ]


def test_a_name_that_is_no_pull_request_or_commit_is_a_wrong_use(requests: Requests) -> None:
    requests.commit = "main"
    assert requests.plan()[:2] == (2, [])


def test_replacements_and_removals_of_what_holds_data_come_first(comment: ModuleType) -> None:
    changes = [
        ["create", "New", "AWS::SQS::Queue"],
        ["delete", "Old", "AWS::S3::Bucket"],
        ["replace", "Table", "AWS::DynamoDB::Table"],
        ["maybe replace", "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer"],
        ["replace", "Rule", "AWS::ElasticLoadBalancingV2::ListenerRule"],
        ["update the stack policy", "", ""],
    ]
    results = [
        {"environment": "dev", "stacks": [{"kind": "service", "changes": [["update", "A", "AWS::ECS::Service"]]}]},
        {"environment": "prod", "stacks": [{"kind": "environment", "changes": changes}]},
    ]
    assert said(comment, results).splitlines() == [
        "- **Data may be lost: `Old` (AWS::S3::Bucket) in prod is removed.**",
        "- **Data may be lost: `Table` (AWS::DynamoDB::Table) in prod is replaced.**",
        "- **dev**, service: changed `A`",
        "- **prod**, environment: replaced `Table`, `Rule`; maybe replaced `Balancer`; removed `Old`; added `New`; "
        "update the stack policy",
    ]


def test_texts_of_the_pull_request_stay_texts_and_the_comment_short(comment: ModuleType) -> None:
    hostile = "`**x** [a](b)\n# \u202e <img>"
    stacks = [{"kind": hostile, "changes": [["create", hostile, hostile]] * 90}]
    results = [{"environment": hostile, "problem": hostile * 90, "stacks": stacks}] * 9
    text = said(comment, results)
    assert len(text) < 6_100
    assert text.endswith("more lines are in the log.")
    assert all(line.startswith("- ") for line in text.splitlines())
    assert "[a](b)" not in "".join(text.split("`")[::2])
    assert comment.plan_text(["PLAN", "PLAN []", "PLAN {", "x PLAN {}"], "plan:1") == ""


def test_the_costs_are_those_of_the_kits_estimate(generated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as files have them: the columns of tasks and network of the README."""
    import_from(monkeypatch, generated / "config/scripts")
    costs = importlib.import_module("plan_costs")
    prices = costs.Prices.read()
    for name in ("dev", "prod"):
        row = re.search(
            rf"^\| {name.title()} \| ([0-9.]+) \| ([0-9.]+) \|", (generated / "README.md").read_text(), re.M
        )
        assert row
        expected = float(row[1]) + float(row[2])
        assert costs.monthly(name, prices, generated) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("edit", "costs"),
    [
        ({"MinTasks": "2"}, "+"),
        ({"MinTasks": "x"}, None),
        ({"MinTasks": "99999999999"}, None),
        ({"Spot": "false"}, "+"),
        ({"Egress": "vpc_routes"}, "-"),
    ],
)
def test_costs_follow_the_files(
    service: Path, edit: dict[str, str], costs: str | None, comment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_from(monkeypatch, service / "config/scripts")
    module = importlib.import_module("plan_costs")
    before = module.monthly("dev", module.Prices.read(), service)
    file = service / "infrastructure/dev/service.json"
    document = json.loads(file.read_text())
    document["Parameters"] |= edit
    file.write_text(json.dumps(document))
    after = module.monthly("dev", module.Prices.read(), service)
    text = said(comment, [{"environment": "dev", "costs": [before, after], "stacks": []}])
    if costs is None:
        assert after is None
        assert "Costs a month are not known of dev" in text
    else:
        assert f"compared to main: {costs}{abs(after - before):.2f} USD (dev {before:.2f} to {after:.2f})" in text
