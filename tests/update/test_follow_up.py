"""What has to be released before an update."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.update.follow_up import FollowUp, follow_up
from scaffold.views.update import following


def test_a_load_balancer_keeps_its_scheme() -> None:
    environments = {"environments": "live", "production": "live"}
    (sentence,) = follow_up(environments, environments | {"load_balancer": "internal"}, (), (), ()).first
    assert sentence.startswith("AWS cannot make a public load balancer internal")
    assert follow_up({}, environments | {"load_balancer": "internal"}, (), (), ()).first == ()


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ({"queues": "jobs, mail"}, {"queues": "mail"}, "jobs (queues)"),
        ({"tables": "orders", "buckets": "u"}, {"customize": True}, "u (buckets), orders (tables)"),
        ({"tables": "orders"}, {"tables": "orders,carts"}, ""),
    ],
)
def test_tasks_stop_using_data_before_its_name_goes(before: dict[str, Any], after: dict[str, Any], gone: str) -> None:
    environments = {"environments": "live", "production": "live"}
    first = follow_up(environments | before, environments | after, (), (), ()).first
    assert [f"Running tasks lose {gone} before" in sentence for sentence in first] == [True] * bool(gone)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({}, {"health_path": "/healthz"}, "/healthz"),
        ({"health_path": "/healthz"}, {"health_path": "/live"}, "/live"),
        ({"health_path": "/healthz"}, {"health_path": "/healthz"}, ""),
        ({"health_path": "/healthz"}, {}, ""),
        ({"health_path": "/healthz"}, {"health_path": "/health"}, ""),
    ],
)
def test_tasks_have_to_answer_the_health_check_before_it_changes(
    before: dict[str, Any], after: dict[str, Any], named: str
) -> None:
    environments = {"environments": "live", "production": "live"}
    first = follow_up(environments | before, environments | after, (), (), ()).first
    assert [f"asks the running tasks for {named} before" in sentence for sentence in first] == [True] * bool(named)


def test_alarms_have_a_topic_at_any_time() -> None:
    service = {"environments": "dev,prod", "production": "prod"}
    both = service | {
        "environment_overrides": {"dev": {"alarm_email": "a@b.example"}, "prod": {"alarm_email": "c@b.example"}}
    }
    one = service | {"environment_overrides": {"dev": {"alarm_email": "a@b.example"}, "prod": {"cpu": 512}}}
    for before, after in ((service, both), (both, one), (one, both)):
        assert follow_up(before, after, (), (), ()).first == ()
    (sentence,) = follow_up(both, service, (), (), ()).first
    assert sentence.startswith("Alarms of dev, prod reach nobody between `scaffold deploy`")
    found = follow_up(both, service, ("infrastructure/foundation.yaml",), (), ("infrastructure/alarm-topic.yaml",))
    assert [command for command, _ in following(found)] == ["git push", "scaffold deploy"]


def test_flow_logs_that_are_turned_off_say_what_follows() -> None:
    environments = {"environments": "live", "production": "live"}
    (sentence,) = follow_up(environments | {"flow_logs": True}, environments, (), (), ()).first
    assert "`scaffold deploy` is run once more after that" in sentence


def test_a_health_check_says_when_its_alarm_may_ring() -> None:
    service = {"environments": "dev,prod", "production": "prod", "health_check": True}
    domain = {"domain_name": "shop.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
    on, off = service | domain, service | domain | {"health_check": False}
    for before, after in ((on, on), (off, on), (on, off)):
        assert follow_up(before, after, (), (), ()).first == ()
    for change in ({"domain_name": "a.example.com"}, {"environment_overrides": {"prod": {"domain_name": "a.example"}}}):
        sentences = follow_up(on, on | change, (), (), ()).first
        assert any("Route 53 asks for https://shop.example.com/health, and its alarm" in one for one in sentences)
    sentence, *_ = follow_up(on, on | {"health_path": "/internal"}, (), (), ()).first
    assert "Route 53 asks for https://shop.example.com/health, and its alarm may ring" in sentence
    sentences = follow_up(on, {"environments": "dev,prod", "production": "prod"}, (), (), ()).first
    assert any("first turn health_check off in an update of its own" in one for one in sentences)


def test_a_health_check_of_what_is_released_first_needs_a_deployment_after_it() -> None:
    service = {"environments": "dev,prod", "production": "prod"}
    named = service | {"domain_name": "shop.example.com"}
    asked = {"health_check": True}
    for before, after in ((service, named | asked), (named | asked, named | asked | {"health_path": "/live"})):
        found = follow_up(before, after, ("infrastructure/health-check.yaml",), (), ())
        assert (found.deploy, found.health_check_again) == (True, True)
        what = "after that release: lets Route 53 ask for what was released"
        assert following(found)[-1] == ("scaffold deploy", what)
    # Production has the name already, or nobody asks for it.
    for before, after in ((named, named | asked), (named | asked, named | asked), (named, named), (service, named)):
        assert not follow_up(before, after, (), (), ()).health_check_again


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ({"egress": "nat_gateway"}, {}, "dev, prod"),
        ({"egress": "nat_gateway"}, {"environment_overrides": {"prod": {"egress": "nat_gateway"}}}, "dev"),
        ({"environment_overrides": {"prod": {"egress": "nat_gateway"}}}, {"egress": "public_ip"}, "prod"),
        ({"egress": "nat_gateway"}, {"environments": "new,prod"}, "prod"),
        ({}, {"egress": "nat_gateway"}, ""),
        # Another VPC is another network.
        ({"egress": "nat_gateway"}, {"vpc_id": "vpc-0"}, ""),
    ],
)
def test_tasks_leave_private_subnets_before_these_are_deleted(
    before: dict[str, Any], after: dict[str, Any], moved: str
) -> None:
    service = {"environments": "dev,prod", "production": "prod"}
    first = follow_up(service | before, service | after, (), (), ()).first
    assert [f"the private subnets of {moved} while tasks run in them" in one for one in first] == [True] * bool(moved)


def test_a_domain_says_what_people_do_first() -> None:
    service = {"environments": "dev,prod", "production": "prod", "deployment_strategy": "canary"}
    domain = {"domain_name": "shop.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
    assert follow_up(service, service | domain, (), (), ()).first == ()
    (records,) = follow_up(service, service | domain | {"hosted_zone_id": ""}, (), (), ()).first
    assert "their records are yours: first create them" in records
    strategy, ending = follow_up(service | domain, service, (), (), ()).first
    assert "answer deployment_strategy=rolling, also in environment_overrides" in strategy
    assert "until `scaffold deploy`, run once more after the release, deletes the stacks" in ending
    rolling = service | {"deployment_strategy": "rolling"}
    assert len(follow_up(service | domain, rolling, (), (), ()).first) == 1
    own = {"environment_overrides": {"dev": {"deployment_strategy": "linear"}}}
    assert len(follow_up(service | domain, rolling | own, (), (), ()).first) == 2
    running = service | domain | {"approve_running": True}
    assert "first release a new version with approve_running=false" in follow_up(running, rolling, (), (), ()).first[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"domain_name": "example.com"}, "dev.shop.example.com, shop.example.com end: first let people come"),
        (
            {"environment_overrides": {"dev": {"domain_name": "try.example.com"}}},
            "name only, and dev.shop.example.com ends",
        ),
        (
            {"hosted_zone_id": "", "certificate_arn": "arn:any"},
            "deletes the records of dev.shop.example.com, shop.exam",
        ),
        ({"hosted_zone_id": "Z00000000"}, ""),
    ],
)
def test_another_name_or_record_says_what_ends(change: dict[str, Any], said: str) -> None:
    service = {
        "environments": "dev,prod",
        "production": "prod",
        "domain_name": "shop.example.com",
        "hosted_zone_id": "Z1",
    }
    first = follow_up(service, service | change, (), (), ()).first
    assert [said in sentence for sentence in first] == [True] * bool(said)


@pytest.mark.parametrize(
    ("before", "projects"),
    [
        ({}, ["build", "pr-tests"]),
        ({"ingress_cidrs": "198.51.100.0/24"}, ["build", "pr-tests", "tests"]),
        ({"load_balancer": "internal", "load_test": "dev"}, ["build", "pr-tests", "tests", "load-test"]),
    ],
)
def test_every_project_leaves_the_vpc_that_is_given_up(before: dict[str, Any], projects: list[str]) -> None:
    after = {"app_name": "shop", "aws_region": "us-east-1", "environments": "dev", "load_test": before.get("load_test")}
    deleted = ("infrastructure/build-vpc.yaml",)
    commands = follow_up(after | before, after, (), (), deleted).leave_vpc
    assert [one.split(" --name shop-")[1].split()[0] for one in commands] == projects


SERVICE = {"environments": "dev,prod", "production": "prod", "app_name": "shop", "aws_region": "us-east-1"}


def turned_off(answers: dict[str, Any], deleted: tuple[str, ...] = (), created: tuple[str, ...] = ()) -> FollowUp:
    """What follows where these answers are taken away, with these templates deleted and created."""
    paths = [tuple(f"infrastructure/{name}.yaml" for name in names) for names in (created, deleted)]
    changed = ("infrastructure/deploy-role.yaml", "infrastructure/permissions.yaml", *paths[0])
    return follow_up(SERVICE | answers, SERVICE, changed, *paths)


def test_tasks_stop_using_a_database_and_permissions_go_after_the_release() -> None:
    found = turned_off({"database": "postgres"}, ("database", "migrations", "data-role"))
    (sentence,) = found.first
    assert "first release an application that does not use it" in sentence
    assert (found.deploy, found.release_first) == (True, True)
    assert found.left == ("data-role", "migrations", "database")
    assert following(found) == [
        ("git push", "or a merge to main: the pipeline releases it"),
        (
            "scaffold deploy",
            "after that release: takes away permissions that nothing uses any more, deletes what is left of data-role, "
            "migrations, database, or says how",
        ),
    ]


def test_what_is_new_needs_a_deployment_before_and_what_is_turned_off_one_after_the_release() -> None:
    (_, both) = turned_off({"database": "postgres"}, ("database",), ("waf",)).first
    assert "make two updates of this one" in both
    added = SERVICE | {"environments": "dev,qa,prod"}
    (_, both) = follow_up(SERVICE | {"observability": "full"}, added, (), (), ()).first
    assert "make two updates of this one" in both


def test_a_database_that_is_new_is_deployed_as_usual() -> None:
    created = tuple(f"infrastructure/{name}.yaml" for name in ("database", "migrations", "data-role"))
    found = follow_up(SERVICE, SERVICE | {"database": "postgres"}, created, created, ())
    assert (found.first, found.deploy, found.release_first, found.left) == ((), True, False, ())
    assert following(found) == [("scaffold deploy", "updates what the pipeline may not, then pushes")]


def test_an_alarm_that_goes_is_released_alone() -> None:
    found = turned_off({"observability": "standard"})
    (sentence,) = found.first
    assert sentence.startswith("Release this update with nothing else")
    assert found.release_first
    other = follow_up(SERVICE | {"observability": "full"}, SERVICE | {"observability": "standard"}, (), (), ())
    assert (other.first, other.release_first) == ((), False)


def test_environments_are_awake_when_their_office_hours_end() -> None:
    found = turned_off({"office_hours": "MON-FRI 07-19 Europe/Berlin"}, ("wake",))
    (sentence,) = found.first
    assert "run `scaffold wake` for each" in sentence
    assert [command for command, _ in following(found)] == ["scaffold deploy", "scaffold deploy"]
    assert "after that release: deletes what is left of wake" in following(found)[-1][1]


def test_a_stack_that_is_left_is_named_where_nothing_else_has_to_follow() -> None:
    found = follow_up(SERVICE | {"waf": "managed"}, SERVICE, (), (), ("infrastructure/waf.yaml",))
    assert not found.deploy
    assert [command for command, _ in following(found)] == ["git push", "scaffold deploy"]


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ({"flow_logs": True, "waf": "managed"}, {"waf": "managed"}, True),
        ({"queues": "jobs, mail"}, {}, True),
        # The permissions are for queues, whatever their names.
        ({"queues": "jobs, mail"}, {"queues": "mail"}, False),
        (
            {"domain_name": "a.example", "hosted_zone_id": "Z1"},
            {"domain_name": "b.example", "hosted_zone_id": "Z1"},
            True,
        ),
        (
            {"domain_name": "a.example", "hosted_zone_id": "Z1"},
            {"domain_name": "a.example", "hosted_zone_id": "Z2"},
            True,
        ),
        ({"waf": "managed"}, {"flow_logs": True, "waf": "managed", "queues": "jobs"}, False),
        ({"domain_name": "a.example"}, {"domain_name": "a.example", "cpu": 512}, False),
    ],
)
def test_permissions_that_a_deployment_keeps_go_with_another_one(
    before: dict[str, Any], after: dict[str, Any], again: bool
) -> None:
    """No stack is left that would say so."""
    found = follow_up(SERVICE | before, SERVICE | after, ("infrastructure/deploy-options.yaml",), (), ())
    last = [("scaffold deploy", "after that release: takes away permissions that nothing uses any more")]
    assert following(found)[0][0] == "scaffold deploy"
    assert following(found)[1:] == last * again
