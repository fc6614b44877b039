"""The questions of copier.yml and their rules, through Copier, which adds no checks of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import cfnlint
import pytest
import yaml

from scaffold.core.errors import ScaffoldError
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.rendering import open_kit
from tests.infrastructure.variants import (
    BUILD_VPC,
    CERTIFICATE,
    CHECKED,
    DOMAIN,
    EXISTING,
    EXISTING_VPC,
    INTERNAL,
    PRIVATE_SUBNETS,
    PUBLIC_SUBNETS,
)
from tests.kits import ROOT, generate, kit_repository

CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
QUESTIONS = {name: details for name, details in CONFIGURATION.items() if not name.startswith("_")}


def many_subnets(count: int) -> str:
    return ",".join(f"subnet-{number:017x}" for number in range(count))


@pytest.fixture(scope="module")
def questions() -> Iterator[Questionnaire]:
    with open_kit(str(kit_repository())) as kit:
        yield kit.questionnaire()


def test_every_question_is_in_one_group() -> None:
    groups = yaml.safe_load((ROOT / "includes" / "groups.yml").read_text("utf-8"))
    grouped = [name for group in groups for name in group["questions"]]
    assert sorted(grouped) == sorted(name for name, details in QUESTIONS.items() if details.get("when") is not False)


def test_any_answer_under_customize_turns_it_on() -> None:
    under = {name for name, details in QUESTIONS.items() if "customize" in str(details.get("when", ""))}
    assert set(re.findall(r"'(\w+)'", QUESTIONS["customize"]["default"])) - {"in"} == under


def test_every_question_explains_itself() -> None:
    for name, details in QUESTIONS.items():
        if details.get("when") is not False:
            assert 20 < len(details["help"]) < 130, name
            assert not details["help"].endswith((".", ":")), name
        if not details.get("choices") and details["type"] != "bool":
            assert details["validator"], name


def test_memory_is_what_the_referee_accepts(questions: Questionnaire) -> None:
    extension = "data/schemas/extensions/aws_ecs_taskdefinition/fargate_cpu_memory.json"
    schema = json.loads((Path(cfnlint.__file__).parent / extension).read_text("utf-8"))
    accepted = {}
    for option in schema["then"]["anyOf"]:
        cpu, memory = (option["properties"][name].get("then", option["properties"][name]) for name in ("Cpu", "Memory"))
        sizes = memory.get("enum") or range(memory["minimum"], memory["maximum"] + 1, memory["multipleOf"])
        accepted[int(cpu["enum"][0])] = set(sizes)
    offered = {
        choice.value: {memory.value for memory in questions.question("memory", {"cpu": choice.value}).choices}
        for choice in questions.question("cpu", {}).choices
    }
    assert offered == accepted


ACCEPTED: list[dict[str, Any]] = [
    {"app_name": "abc"},
    {"app_name": "a" * 24},
    {"environments": "prod"},
    {"environments": "test, uat ,live"},
    {"environments": ",".join(f"env{number}" for number in range(8))},
    {"environments": "dev, live ,dr", "production": "live"},
    {"environments": "no,on", "production": "no"},
    {"environments": "migrate,prod", "database": "postgres"},
    {"environments": "restored,prod"},
    {"aws_region": "us-gov-west-1"},
    {"aws_region": "eusc-de-east-1"},
    {"vpc_cidr": "172.31.0.0/16"},
    {"vpc_cidr": "172.16.0.0/16"},
    {"vpc_cidr": "172.18.0.0/24"},
    {"vpc_cidr": "192.168.255.0/24"},
    {"aws_account_id": "012345678901"},
    {"aws_account_id": ""},
    {"notification_email": "first.last+tag@mail.example.co"},
    {"description": "Größe & Gewicht (intern)"},
    {"environment_overrides": ""},
    {"environment_overrides": "{dev: {spot: false}, prod: {cpu: 1024, memory: 8192, egress: nat_gateway}}"},
    {"deployment_strategy": "linear", "linear_step_percent": "3", "linear_step_minutes": "50"},
    {"environment_overrides": "{dev: {deployment_strategy: canary}}", "canary_percent": "50"},
    {"environment_overrides": "{dev: {bake_minutes: 7}, prod: {bake_minutes: 8}}"},
    {"deployment_strategy": "canary", "bake_minutes": "8", "canary_bake_minutes": "8"},
    {"windows": "MON 09-16 America/Argentina/Buenos_Aires"},
    {"windows": "MON-SUN 00-24 Etc/GMT+1"},
    {"freezes": ",".join(f"20{one}-12-20..20{one}-12-21" for one in range(30, 50))},
    {"soak_minutes": "60"},
    {"promotion": "branches", "auto_promote": "prod, staging"},
    {"promotion": "branches", "approvers": "Releasers"},
    {"chat_notifications": True},
    {"success_notifications": "every"},
    {"encrypt_logs": True},
    {"audit": "trail"},
    {"access_logs": True},
    {"flow_logs": "true"},
    {"waf": "managed"},
    {"waf": "managed", "waf_rate_limit": "10"},
    {"flow_logs": True, "environment_overrides": {"dev": EXISTING}},
    {"buckets": "u,sales-reports, x2", "queues": "abcdefghijklmnopqrst", "tables": "orders"},
    {"database": "postgres"},
    {"database": "postgres", "environment_overrides": "{prod: {database_capacity: 128}}"},
    {"database": "postgres", "environment_overrides": {"dev": {"database_capacity": 1, "max_tasks": 37}}},
    {"requests_per_task": 100_000},
    {"scratch_gib": "20"},
    {"exec": "dev, prod"},
    {"scratch_gib": 200},
    {"office_hours": "MON-WED,FRI 00-23 America/Argentina/Buenos_Aires"},
    {**BUILD_VPC, "ingress_cidrs": "198.51.100.0/24, 203.0.113.7/32"},
    {"ingress_cidrs": "0.0.0.0/0"},
    DOMAIN,
    {"domain_name": "xn--bcher-kva.example", "certificate_arn": CERTIFICATE},
    {"environment_overrides": "{dev: {alarm_email: ''}, prod: {alarm_email: on-call+shop@example.com}}"},
    {**DOMAIN, "environment_overrides": "{dev: {domain_name: dev.internal.example.com, hosted_zone_id: Z01234567}}"},
    {**DOMAIN, "environment_overrides": f"{{dev: {{hosted_zone_id: '', certificate_arn: '{CERTIFICATE}'}}}}"},
    CHECKED,
    {**CHECKED, "notification_email": "", "environment_overrides": "{prod: {alarm_email: a@b.example}}"},
    {**CHECKED, **EXISTING, "ingress_cidrs": " 0.0.0.0/0"},
    {**INTERNAL, **CHECKED, "health_check": False},
    INTERNAL,
    {**INTERNAL, "ingress_cidrs": "10.0.0.0/8"},
    {"notification_email": "a@example.com", "monthly_budget": 1_000_000},
    {"port": "1024", "health_path": "/internal/health-z.json", "health_grace_seconds": "180"},
    {"build_secrets": "NPM_TOKEN, SENTRY_AUTH_TOKEN"},
    {"build_secrets": ",".join(f"A{number}" for number in range(10))},
    BUILD_VPC,
    {**BUILD_VPC, "build_subnet_ids": "subnet-12345678"},
    {"load_test": "staging"},
    {"deployment_strategy": "blue_green", "approve_running": "true"},
    {"environment_overrides": "{dev: {deployment_strategy: canary}}", "approval": "every", "approve_running": "true"},
    {"approvers": "Releasers, Tech.Leads@x"},
    {"coverage_threshold": "100"},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({"app_name": name}, "for example orders-api")
        for name in (
            "ab",
            "a" * 25,
            "Abc",
            "a--b",
            "abc-",
            "1abc",
            "abc\n",
            "été",
            "aws-x",
            "com1",
            "orders-pr",
            "a-self-update",
        )
    ),
    *(
        ({"environments": names}, "for example dev,staging,prod")
        for names in (
            "",
            ",",
            "dev,",
            "dev,dev",
            "Dev",
            "d",
            "dev\n,prod",
            "dev;prod",
            "a-b",
            "all",
            "pipeline",
            "x" * 13,
        )
    ),
    ({"environments": ",".join(f"env{number}" for number in range(9))}, "has 9 items, and at most 8 are allowed"),
    *(
        ({"production": name}, "which is not one of the environments dev, staging, prod; ")
        for name in ("", "qa", "Prod", " prod", "prod,dev", "prod\n")
    ),
    ({"environments": "dev,live", "production": "prod"}, "environments dev, live; name one of them, for example"),
    *(
        ({"aws_region": region}, "for example eu-central-1")
        for region in ("", "us-east", "US-EAST-1", "us-east-1\n", "us_east_1")
    ),
    ({"aws_region": "cn-north-1"}, "China"),
    ({"cpu": "300"}, "256"),
    ({"load_balancer": "internal"}, "load_balancer was answered but is not asked"),
    ({**INTERNAL, "public_subnet_ids": PUBLIC_SUBNETS}, "public_subnet_ids was answered but is not asked"),
    ({**INTERNAL, "private_subnet_ids": ""}, "needs the private subnets of vpc-0123456789abcdef0 for load balancer"),
    (
        {name: value for name, value in INTERNAL.items() if name not in BUILD_VPC},
        "load_balancer is internal, and the tests",
    ),
    ({**INTERNAL, "environment_overrides": "{dev: {vpc_id: ''}}"}, "dev.vpc_id gives dev a VPC of its own"),
    (
        {**INTERNAL, "environment_overrides": "{dev: {vpc_id: vpc-0123456789abcdef1}}"},
        "dev needs the private subnets of vpc-0123456789abcdef1 for load balancer and tasks, for example {dev:",
    ),
    (
        {**INTERNAL, "environment_overrides": f"{{dev: {{public_subnet_ids: '{PUBLIC_SUBNETS}'}}}}"},
        "dev.public_subnet_ids belongs to load_balancer public",
    ),
    *(
        ({**DOMAIN, "domain_name": name}, message)
        for name, message in (
            ("Shop.example.com", "is a domain name in lower case"),
            ("shop", "is a domain name in lower case"),
            ("*.example.com", "is a domain name in lower case"),
            ("shop.example.com.", "without a dot at its end"),
            ("a-.example.com", "is a domain name in lower case"),
            ("shop.example.com\n", "is a domain name in lower case"),
            ("${AWS::StackName}.example.com", "is a domain name in lower case"),
            ("1.2.3.4", "is a domain name in lower case"),
            (f"{'a' * 60}.com", "domain_name gives dev a name of 68 characters, and a certificate takes up to 64"),
            (f"{'a' * 63}.example.com", "has 75 characters"),
        )
    ),
    ({"domain_name": "shop.example.com"}, "domain_name needs hosted_zone_id, in which the certificate of dev.shop"),
    ({**DOMAIN, "hosted_zone_id": "/hostedzone/Z0123456789"}, "hosted_zone_id is the ID of a hosted zone"),
    ({"hosted_zone_id": "Z0123456789ABCDEFGHIJ"}, "hosted_zone_id was answered but is not asked"),
    ({**DOMAIN, "certificate_arn": "arn:aws:iam::123456789012:server-certificate/x"}, "is the ARN of a certificate"),
    ({**DOMAIN, "certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")}, "is a certificate in eu-west-1"),
    (
        {**DOMAIN, "environment_overrides": "{dev: {domain_name: shop.example.com}}"},
        "domain_name shop.example.com belongs to dev and to prod",
    ),
    (
        {**DOMAIN, "environment_overrides": "{dev: {domain_name: UPPER.example.com}}"},
        "dev.domain_name is a domain name",
    ),
    ({**DOMAIN, "environment_overrides": "{dev: {hosted_zone_id: zone}}"}, "dev.hosted_zone_id is the ID of a hosted"),
    ({**DOMAIN, "environment_overrides": "{dev: {certificate_arn: [1]}}"}, "dev.certificate_arn is the ARN of a"),
    *(
        ({"environment_overrides": {"dev": {"alarm_email": email}}}, "dev.alarm_email is empty or one e-mail address")
        for email in (
            "a@b",
            "a@b.example, c@d.example",
            "a@b.example\n",
            '"a b"@c.example',
            "a@b.example: {x}",
            None,
            5,
        )
    ),
    ({"health_check": True}, "health_check belongs to domain_name, which is empty; give domain_name"),
    ({**CHECKED, "health_check": "often"}, "health_check"),
    ({**CHECKED, **INTERNAL}, "health_check asks from the internet, and load_balancer is internal"),
    ({**CHECKED, **BUILD_VPC, "ingress_cidrs": "198.51.100.0/24"}, "and ingress_cidrs does not let them in"),
    ({**CHECKED, "notification_email": ""}, "health_check has an alarm of which nobody would hear; answer"),
    (
        {**CHECKED, "notification_email": "", "environment_overrides": "{dev: {alarm_email: a@b.example}}"},
        "health_check has an alarm of which nobody would hear; answer",
    ),
    ({**CHECKED, "aws_region": "us-gov-west-1"}, "health_check is false in us-gov-west-1: Route 53 keeps the metrics"),
    ({"environment_overrides": "{dev: {domain_name: dev.example.com}}"}, "dev.domain_name belongs to domain_name"),
    ({"ingress_cidrs": "198.51.100.0/24"}, "answer build_network vpc, whose NAT gateway has an address to let in"),
    *(
        ({**BUILD_VPC, "ingress_cidrs": blocks}, message)
        for blocks, message in (
            ("", "is empty"),
            ("::/0", "has '::/0', which is no IPv4 CIDR block"),
            ("198.51.100.0", "which is no IPv4 CIDR block"),
            ("198.51.100.0/33", "which is no IPv4 CIDR block"),
            ("198.51.100.1/24", "has '198.51.100.1/24', which has host bits set"),
            ("203.0.113.7/32,203.0.113.7/32", "twice"),
            ("0.0.0.0/0,203.0.113.7/32", "lets in everybody"),
            ("pl-0123456789abcdef0", "which is no IPv4 CIDR block"),
            (",".join(f"198.51.{number}.0/24" for number in range(11)), "at most 10 are allowed"),
        )
    ),
    *(({"port": port}, "port is a whole number from 1024 to 65535") for port in ("80", "65536")),
    *(({"health_grace_seconds": given}, "from 0 to 180, for example 120") for given in ("-1", "181")),
    *(
        ({"health_path": path}, "for example /internal/healthz")
        for path in (
            "",
            "/",
            "health",
            "/a/",
            "//a",
            "/a b",
            "/a?b",
            "/:id",
            "/a\n",
            "/..",
            "/{{x}}",
            "/a'",
            "/" + "a" * 128,
        )
    ),
    ({"cpu": "256", "memory": "4096"}, "2048"),
    ({"scan_gate": "none"}, "critical"),
    *(
        ({"vpc_cidr": cidr}, "for example 10.0.0.0/16")
        for cidr in (
            "10.0.0.0",
            "10.0.0.0/15",
            "10.0.0.0/25",
            "10.0.0.1/24",
            "8.8.0.0/16",
            "172.32.0.0/16",
            "10.0.0.0/016",
            "10.0.0.0/16\n",
            "010.0.0.0/16",
        )
    ),
    *(
        ({"vpc_cidr": cidr}, f"vpc_cidr is {cidr}, and 172.17.0.0/16 is the network of Docker")
        for cidr in ("172.17.0.0/16", "172.17.240.0/20", "172.17.255.0/24")
    ),
    *(
        ({"aws_account_id": account}, "for example 123456789012")
        for account in ("1", "1234567890123", "12345678901a", "123456789012\n")
    ),
    *(
        ({"notification_email": mail}, "for example team@example.com")
        for mail in ("me", "a@b", "a@b.c d", "a b@c.de", "a@b.de\n", "a@-b.de", ".a@b.de")
    ),
    *(
        ({"description": text}, "for example Takes orders")
        for text in ("", "a", "a\nb", 'say "x"', "a: b", "a # b", "${AWS::Region}", "{{ 7 }}", "-a", "x" * 121)
    ),
    ({"pull_request_approvals": "6"}, "from 0 to 5, for example 1"),
    (
        {"reviewers": "Developers", "pull_request_approvals": "0"},
        "reviewers was answered but is not asked",
    ),
    *(
        ({"reviewers": roles}, "for example Developers,TechLeads")
        for roles in ("a b", "*", "a,", "a,a", "team/Developers", "a" * 65, "orders-api-pr-verdict", "a\n", '"')
    ),
    ({"log_retention_days": "2"}, "30"),
    ({"scan_engine": "trivy"}, "sbom"),
    ({"scan_engine": "sbom", "scan_gate": "off"}, "scan_engine was answered but is not asked"),
    ({"approval": "always"}, "every"),
    ({"promotion": "tags"}, "branches"),
    ({"promotion": "branches", "environments": "prod"}, "name two or more, or choose promotion pipeline"),
    ({"promotion": "branches", "approval": "none"}, "approval was answered but is not asked"),
    ({"auto_promote": "staging"}, "auto_promote was answered but is not asked"),
    *(
        ({"promotion": "branches", "auto_promote": names}, "auto_promote has ")
        for names in ("dev", "staging,", "staging,staging", "live", "staging\n")
    ),
    ({"success_notifications": "prod"}, "every"),
    *(
        ({question: wrong}, f"{question} {words}")
        for question in ("buckets", "queues", "tables")
        for wrong, words in (
            (" ", "is empty; name one or several"),
            ("a,", "has nothing as item 2 of 2; remove a comma"),
            ("a,a", "has 'a' twice"),
            ("a,b,c,d", "has 4 items, and at most 3 are allowed"),
            *(
                (one, "has ")
                for one in ("a--b", "-a", "a-", "a-1", "1a", "Aa", "a_b", "a.b", "a\n", "a'; x", "a" * 21, "${A}")
            ),
        )
    ),
    (
        {"buckets": "sales-reports", "app_name": "abcdefghijklmnopqrs-tuvx", "environments": "dev,abcdefghijkl"},
        "whose bucket in abcdefghijkl would have a name of 65 characters, and S3 allows 63; shorten it by 2",
    ),
    ({"buckets": "a", "app_name": "sthree"}, "which S3 keeps for itself"),
    *(
        ({"build_secrets": wrong}, "for example NPM_TOKEN,SENTRY_AUTH_TOKEN")
        for wrong in (
            *(
                "token",
                "A,",
                " ",
                "A;B",
                "1A",
                "A B",
                "A\n",
                "/other/build/A",
                "A,A",
                "PATH",
                "AWS_REGION",
                "IMAGE_TAG",
            ),
            *("CODEBUILD_SRC_DIR", ",".join(f"A{number}" for number in range(11))),
        )
    ),
    *(({"database": wrong}, "postgres") for wrong in ("", "mysql", "Postgres", "postgres\n", "${A}", "postgres'; x")),
    *(
        ({"database": "postgres", "aws_region": region}, f"certificates of Amazon RDS for aws_region {region}; choose")
        for region in ("us-gov-west-1", "eusc-de-east-1")
    ),
    *(
        (
            {"database": "postgres", "environment_overrides": {"prod": {"database_capacity": wrong}}},
            "environment_overrides.prod.database_capacity is a whole number from 1 to 128, for example {prod",
        )
        for wrong in (0, -1, 129, 2.5, "8'; x", "${A}", None, True, [8])
    ),
    ({"database": "postgres", "environments": "restored,prod"}, "postgres cannot be in an environment restored,"),
    (
        {"environment_overrides": {"prod": {"database_capacity": 8}}},
        "environment_overrides.prod.database_capacity needs database postgres, and database is none; leave it out",
    ),
    (
        {"database": "postgres", "environment_overrides": {"dev": {"database_capacity": 1, "max_tasks": 38}}},
        "too few connections for max_tasks 38 in dev, of which a release runs twice as many; raise database_capacity",
    ),
    ({"build_network": "public"}, "vpc"),
    ({"audit": "on"}, "trail"),
    ({"access_logs": "bucket"}, "access_logs"),
    ({"waf": "on"}, "managed"),
    ({"waf_rate_limit": 100}, "waf_rate_limit was answered but is not asked"),
    *(
        ({"waf": "managed", "waf_rate_limit": limit}, "waf_rate_limit is a whole number from 10 to 2000000000")
        for limit in (9, 2_000_000_001)
    ),
    ({"waf": "managed", "load_test": "dev"}, "waf is managed, which blocks the requests of the load test in dev"),
    (
        {**EXISTING, "flow_logs": True},
        "flow_logs is for VPCs of the service's own, and each environment is in an existing VPC",
    ),
    *(
        ({"scratch_gib": given}, "scratch_gib is 0, or a whole number of GiB from 20 to 200, for example 20")
        for given in (-1, 19, "201")
    ),
    *(
        ({"exec": given}, f"exec {why}")
        for given, why in (
            ("stagging", "has 'stagging', which is no environment; did you mean staging?"),
            ("dev,dev", "has 'dev' twice"),
            ("dev,", "has nothing as item 2 of 2"),
            ("$(id)", "has item 1, which is no environment"),
        )
    ),
    ({"requests_per_task": -1}, "requests_per_task is a whole number from 0 to 100000, for example 50"),
    *(
        ({"office_hours": hours}, why)
        for hours, why in (
            ("MON-FRI 7-19 UTC", "office_hours is empty, or days, hours and a time zone"),
            ("MON-FRI 07-19 UTC'", "for example MON-FRI 07-19 Europe/Berlin; days may be several"),
            (
                "MON-FRI 07-12,13-19 UTC",
                "office_hours has 07-12,13-19, which is not one period that ends before midnight",
            ),
            ("MON-FRI 07-24 UTC", "office_hours has 07-24, which is not one period"),
            ("FRI-MON 07-19 UTC", "office_hours has FRI-MON, which ends before it begins"),
            ("MON-FRI 07-19 Europe/Nowhere", "office_hours has Europe/Nowhere, which is no time zone"),
            (7, "office_hours"),
        )
    ),
    ({"environments": "prod", "office_hours": "MON-FRI 07-19 UTC"}, "no environment is before production"),
    ({"monthly_budget": 200}, "monthly_budget was answered but is not asked"),
    *(
        ({"notification_email": "a@example.com", "monthly_budget": amount}, "from 0 to 1000000, for example 200")
        for amount in (-1, 1_000_001)
    ),
    (
        {"notification_email": "a@example.com", "monthly_budget": 200, "aws_region": "us-gov-west-1"},
        "monthly_budget is 0 in us-gov-west-1, where AWS Budgets is not available",
    ),
    ({"build_vpc_id": EXISTING_VPC}, "build_vpc_id was answered but is not asked"),
    ({"build_network": "none", "build_subnet_ids": PRIVATE_SUBNETS}, "build_subnet_ids was answered but is not asked"),
    *(
        ({**BUILD_VPC, "build_vpc_id": vpc}, "build_vpc_id is the ID of one VPC, for example vpc-0123456789abcdef0")
        for vpc in ("", "vpc-1", f"{EXISTING_VPC}\n", f"{EXISTING_VPC},{EXISTING_VPC}", "subnet-12345678")
    ),
    *(
        ({**BUILD_VPC, "build_subnet_ids": subnets}, f"build_subnet_ids {words}")
        for subnets, words in (
            ("", "is empty"),
            ("subnet-1", "has 'subnet-1', which is no ID of a subnet"),
            ("subnet-12345678,", "has nothing as item 2 of 2"),
            ("subnet-12345678\n", "has item 1, which is no ID of a subnet"),
            (EXISTING_VPC, f"has '{EXISTING_VPC}', which is no ID of a subnet"),
            (many_subnets(17), "has 17 items, and at most 16 are allowed"),
        )
    ),
    ({**BUILD_VPC, "build_subnet_ids": "subnet-12345678,subnet-12345678"}, "has 'subnet-12345678' twice"),
    (
        {"chat_notifications": True, "aws_region": "us-gov-west-1"},
        "chat_notifications is false in us-gov-west-1, where Amazon Q Developer in chat applications is not available",
    ),
    ({"approvers": "Releasers", "approval": "none"}, "approvers was answered but is not asked"),
    *(
        ({"approvers": roles}, "for example Releasers,TechLeads")
        for roles in ("a b", "*", "a?", "${aws:username}", "a,", "a,a", "team/a", "a" * 65, "a,b,c,d,e,f", "a\n", '"')
    ),
    ({"soak_minutes": "-1"}, "from 0 to 60, for example 30"),
    ({"coverage_threshold": "101"}, "from 0 to 100, for example 80"),
    ({"soak_minutes": "61"}, "from 0 to 60, for example 30"),
    ({"load_test": "prod"}, "production or like it; name an environment before production, for example staging"),
    ({"load_test": "live"}, "not one of the environments; name an environment before production, for example staging"),
    ({"load_test": "dev,staging"}, "not one of the environments"),
    ({"environments": "live", "load_test": "live"}, "leave load_test out, since no environment is before production"),
    *(
        ({"windows": window}, "for example MON-THU 09-16 Europe/Berlin")
        for window in (
            "always",
            "MON-THU 09-16",
            "MON-THU 9-16 UTC",
            "MON-THU 09-25 UTC",
            "mon 09-16 UTC",
            "MON 09-16  UTC",
            "MON 09-16 UTC\n",
            "MON 09-16 Berlin",
            "MON 09-16 Europe/Berlin'",
            "MON 09-16 UTC,TUE 10-12 UTC",
        )
    ),
    *(
        ({"windows": window}, f"windows has {part}, which ends before it begins")
        for window, part in (
            ("FRI-MON 09-16 UTC", "FRI-MON"),
            ("MON 16-09 UTC", "16-09"),
            ("MON,WED-TUE 09-12,13-13 UTC", "WED-TUE"),
            ("MON 09-12,13-13 UTC", "13-13"),
        )
    ),
    *(
        ({"windows": f"MON 09-16 {zone}"}, f"windows has {zone}, which is no time zone")
        for zone in ("Europe/Nowhere", "Europe/berlin", "America/Argentina/Berlin", "Etc/UTC+1", "Asia/Europe/Berlin")
    ),
    *(
        ({"freezes": freezes}, "for example 2026-12-20..2027-01-02")
        for freezes in (
            "soon",
            "2026-12-20",
            "2026-12-20..",
            "2026-12-20...2027-01-02",
            "2026-12-20..2027-01-32",
            "2026-12-20..2027-13-01",
            "2026-12-00..2027-01-01",
            "2027-02-29..2027-03-01",
            "2026-12-20..2027-01-02,",
            "2026-12-20..2027-01-02\n",
            "2026-12-20..2027-01-02..2027-01-03",
        )
    ),
    (
        {"freezes": ",".join(f"20{one}-12-20..20{one}-12-21" for one in range(30, 51))},
        "freezes has 21 items, and at most 20",
    ),
    ({"freezes": "2026-01-01..2026-01-02,2027-01-02..2026-12-20"}, "freezes has 2027-01-02..2026-12-20, which ends"),
    ({"deployment_strategy": "canary", "canary_percent": "0"}, "from 1 to 99, for example 10"),
    (
        {"deployment_strategy": "canary", "canary_bake_minutes": "1440", "bake_minutes": "541"},
        "1981 minutes; lower them, for example",
    ),
    ({"deployment_strategy": "linear", "linear_step_percent": "3", "linear_step_minutes": "59"}, "33 hours"),
    ({"approve_running": "true"}, "is not asked with"),
    ({"deployment_strategy": "canary", "approval": "none", "approve_running": "true"}, "approval=none"),
    ({"deployment_strategy": "canary", "promotion": "branches", "approve_running": "true"}, "promotion=branches"),
    (
        {"environment_overrides": "{dev: {deployment_strategy: canary}}", "approve_running": "true"},
        "shifting_after_approval=[]",
    ),
    (
        {
            "deployment_strategy": "canary",
            "bake_minutes": "1440",
            "canary_bake_minutes": "61",
            "approve_running": "true",
        },
        "which adds 480 minutes, may take 33 hours (1980 minutes) including bake_minutes",
    ),
    (
        {"deployment_strategy": "blue_green", "bake_minutes": "7"},
        "from 8, the minutes that the slowest alarm needs, to 1440, for example bake_minutes: 10",
    ),
    (
        {"deployment_strategy": "canary", "canary_bake_minutes": "7"},
        "canary_bake_minutes is a whole number from 8, the minutes that the slowest alarm needs",
    ),
    *(
        (
            {"deployment_strategy": strategy, "environment_overrides": "{prod: {bake_minutes: 7}}"},
            "environment_overrides.prod.bake_minutes is a whole number from 8, the minutes that the slowest alarm",
        )
        for strategy in ("canary", "rolling")
    ),
    (
        {"environments": "dev,live,dr", "production": "live", "environment_overrides": "{dr: {bake_minutes: 2}}"},
        "for example {dr: {bake_minutes: 10}}",
    ),
    (
        {
            "deployment_strategy": "canary",
            "canary_bake_minutes": "541",
            "environment_overrides": "{prod: {bake_minutes: 1440}}",
        },
        "1981 minutes; lower them, for example",
    ),
]
REFUSED_OVERRIDES = {
    "text": "mapping",
    "[dev]": "mapping",
    "{dev: fast}": "environment_overrides.dev is a mapping",
    "{dev: {}}": "environment_overrides.dev is a mapping",
    "{1: {cpu: 256}}": "environment_overrides has the key 1, which YAML does not read as a name",
    "{qa: {spot: true}}": "environment_overrides.qa is not an environment; the environments are dev, staging, prod",
    "{dev: {sput: true}}": "environment_overrides.dev.sput is not a setting; the settings are cpu",
    "{dev: {spot: maybe}}": "environment_overrides.dev.spot is true, false or above_first",
    "{dev: {spot: 1}}": "environment_overrides.dev.spot is true, false or above_first",
    "{prod: {container_insights: maybe}}": "environment_overrides.prod.container_insights is true or false",
    "{dev: {cpu: '256'}}": "environment_overrides.dev.cpu is one of 256, 512",
    "{dev: {cpu: true}}": "environment_overrides.dev.cpu is one of",
    "{dev: {cpu: [256]}}": "environment_overrides.dev.cpu is one of",
    "{dev: {egress: {}}}": "environment_overrides.dev.egress is one of public_ip, nat_gateway",
    "{dev: {cpu: 1024}}": "cpu 1024 with memory 512, which Fargate does not support",
    "{dev: {memory: 4096}}": "cpu 256 with memory 4096, which Fargate does not support",
    "{dev: {min_tasks: 0}}": "environment_overrides.dev.min_tasks is a whole number from 1 to 100",
    "{dev: {min_tasks: 1.5}}": "environment_overrides.dev.min_tasks is a whole number",
    "{dev: {min_tasks: 3}}": "min_tasks 3 above max_tasks 2",
    "{prod: {max_tasks: 1}}": "min_tasks 2 above max_tasks 1",
    "{dev: {vpc_cidr: 10.0.0.0/8}}": "environment_overrides.dev.vpc_cidr is a private CIDR block",
    "{dev: {vpc_cidr: 172.17.3.0/24}}": "environment_overrides.dev.vpc_cidr is 172.17.3.0/24, and 172.17.0.0/16",
    "{dev: {vpc_cidr: 10}}": "environment_overrides.dev.vpc_cidr is a private CIDR block",
    "{dev: {log_retention_days: 31}}": "environment_overrides.dev.log_retention_days is one of",
    "{dev: {deployment_strategy: yolo}}": "environment_overrides.dev.deployment_strategy is one of rolling",
    "{dev: {bake_minutes: 0}}": "environment_overrides.dev.bake_minutes is a whole number from 1 to 1440",
    "{dev: {bake_minutes: 7, deployment_strategy: linear}}": "for example {dev: {bake_minutes: 10}}",
    "&a {dev: *a}": "environment_overrides.dev.dev is not a setting",
    "!!set {dev}": "mapping",
}


def test_the_time_zones_of_windows_exist() -> None:
    text = (ROOT / "includes" / "zones.jinja").read_text()
    listed = {f"{first}/{name}" for first, rest in re.findall(r"'(\w+)': '([^']+)'", text) for name in rest.split()}
    assert {"Europe/Berlin", "America/Argentina/Buenos_Aires"} < listed
    # Added in 2025.
    assert listed - {"America/Coyhaique"} <= available_timezones()


@pytest.mark.parametrize("given", ACCEPTED, ids=str)
def test_accepted(questions: Questionnaire, given: dict[str, Any]) -> None:
    answers = questions.evaluate({"app_name": "orders-api", **given})
    assert {settings["name"] for settings in answers.all["environment_settings"]} == set(
        answers.all["environment_names"]
    )


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=str)
def test_refused(questions: Questionnaire, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ScaffoldError) as refused:
        questions.evaluate({"app_name": "orders-api", **given})
    assert words in refused.value.happened


@pytest.mark.parametrize("overrides", REFUSED_OVERRIDES)
def test_refused_overrides(questions: Questionnaire, overrides: str) -> None:
    with pytest.raises(ScaffoldError) as refused:
        questions.evaluate({"app_name": "orders-api", "environment_overrides": overrides})
    assert REFUSED_OVERRIDES[overrides] in refused.value.happened


def test_settings_of_each_environment(questions: Questionnaire) -> None:
    overrides = {"uat": {"min_tasks": 2, "max_tasks": 4, "spot": False}, "live": {"vpc_cidr": "10.1.0.0/16"}}
    given = {"app_name": "orders-api", "environments": "test,uat,live", "environment_overrides": overrides}
    test, uat, live = questions.evaluate({**given, "deployment_strategy": "canary"}).all["environment_settings"]
    assert (test["min_tasks"], test["max_tasks"], test["spot"], test["production"]) == (1, 2, True, False)
    assert (uat["min_tasks"], uat["max_tasks"], uat["spot"], uat["deployment_strategy"]) == (2, 4, False, "rolling")
    assert (live["min_tasks"], live["max_tasks"], live["spot"], live["production"]) == (2, 10, False, True)
    assert (live["title"], live["deployment_strategy"], live["vpc_cidr"]) == ("Live", "canary", "10.1.0.0/16")
    assert re.fullmatch(r"10\.\d+\.\d+\.0/20", test["vpc_cidr"])


@pytest.mark.parametrize(
    ("environments", "production", "treated_like_it"),
    [
        ("live", None, ["live"]),
        ("dev, live", None, ["live"]),
        ("dev,live,dr", "live", ["live", "dr"]),
        ("live,dev", "live", ["live", "dev"]),
        ("a1,live,b2,c3", "live", ["live", "b2", "c3"]),
        ("no,null,on", "null", ["null", "on"]),
    ],
)
def test_environments_from_production_on_are_treated_like_it(
    questions: Questionnaire, environments: str, production: str | None, treated_like_it: list[str]
) -> None:
    given = {"app_name": "orders-api", "environments": environments, "deployment_strategy": "canary"}
    answers = questions.evaluate(given | ({"production": production} if production else {}))
    assert answers.recorded["production"] == (production or "live")
    settings = answers.all["environment_settings"]
    assert [one["name"] for one in settings if one["production"]] == treated_like_it
    for one in settings:
        treatment = (one["min_tasks"], one["max_tasks"], one["spot"], one["deployment_strategy"], one["bake_minutes"])
        assert treatment == ((2, 10, False, "canary", 10) if one["production"] else (1, 2, True, "rolling", 1))
    compute = {part["name"]: part["lines"][0]["name"] for part in answers.all["monthly_costs"]["environments"]}
    assert {name for name, line in compute.items() if line == "Fargate, 2 tasks"} == set(treated_like_it)


@pytest.mark.parametrize("name", ["live", "dr"])
def test_overrides_are_judged_by_what_their_environment_is_treated_like(questions: Questionnaire, name: str) -> None:
    given = {"app_name": "orders-api", "environments": "dev,live,dr", "production": "live"}
    for overrides, strategy, words in (
        ({"max_tasks": 1}, "rolling", "min_tasks 2 above max_tasks 1"),
        ({"bake_minutes": 7}, "canary", f"for example {{{name}: {{bake_minutes: 10}}}}"),
    ):
        questions.evaluate({**given, "environment_overrides": {"dev": overrides}, "deployment_strategy": strategy})
        with pytest.raises(ScaffoldError, match=re.escape(words)):
            questions.evaluate({**given, "environment_overrides": {name: overrides}, "deployment_strategy": strategy})


def test_estimate(questions: Questionnaire) -> None:
    """By hand: 730 hours at the list prices of the price file, for the fewest tasks."""
    given = {"app_name": "orders-api", "environments": "dev,prod"}
    overrides = "{prod: {egress: nat_gateway, container_insights: true}}"
    costs = questions.evaluate({**given, "environment_overrides": overrides}).all["monthly_costs"]
    dev, prod = costs["environments"]
    task = 730 * (0.25 * 0.04048 + 0.5 * 0.004445)
    amounts = {line["name"]: line["usd"] for line in dev["lines"]}
    assert amounts["Fargate, 1 task on Spot"] == round(task * 0.3, 2)
    assert amounts["Load balancer"] == pytest.approx(16.425, abs=0.01)
    assert amounts["Public IPv4 addresses, 3"] == 10.95
    amounts = {line["name"]: line["usd"] for line in prod["lines"]}
    assert amounts["Fargate, 2 tasks"] == round(task * 2, 2)
    assert amounts["NAT gateway"] == 32.85
    assert amounts["Public IPv4 addresses, 3"] == 10.95
    assert amounts["Container Insights, 131 metrics"] == 9.17
    assert not [line for line in dev["lines"] if line["name"].startswith("Container Insights")]
    for part in (dev, prod, costs["shared"]):
        assert part["usd"] == pytest.approx(sum(line["usd"] for line in part["lines"]))
    assert costs["total_usd"] == pytest.approx(dev["usd"] + prod["usd"] + costs["shared"]["usd"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", costs["as_of"])
    more = questions.evaluate({**given, "scan_engine": "sbom"}).all["monthly_costs"]["shared"]
    amounts = {line["name"]: line["usd"] for line in more["lines"]}
    assert amounts.pop("Scans of 20 SBOMs") == 0.6
    assert [{"name": name, "usd": usd} for name, usd in amounts.items()] == [
        {"name": line["name"], "usd": line["usd"]} for line in costs["shared"]["lines"]
    ]
    audited = questions.evaluate({**given, "audit": "trail"}).all["monthly_costs"]["shared"]
    (line,) = [one for one in audited["lines"] if one["name"].startswith("Audit trail")]
    assert line == {"kind": "monitoring", "name": "Audit trail beside another one", "usd": 1.02}
    assert audited["usd"] == pytest.approx(costs["shared"]["usd"] + 1.02)
    logged = questions.evaluate({**given, "access_logs": True, "flow_logs": True}).all["monthly_costs"]
    (line,) = [one for one in logged["environments"][1]["lines"] if one["name"].startswith("Flow logs")]
    assert line == {"kind": "monitoring", "name": "Flow logs, 0.5 GB", "usd": 0.13}
    fired = questions.evaluate({**given, "waf": "managed"}).all["monthly_costs"]
    (line,) = [one for one in fired["environments"][0]["lines"] if one["name"].startswith("AWS WAF")]
    assert line == {"kind": "network", "name": "AWS WAF, web ACL with 4 rules", "usd": 9.0}
    (line,) = [one for one in fired["with_traffic"]["low"]["environments"][1]["lines"] if "million" in one["name"]]
    assert line == {"kind": "traffic", "name": "AWS WAF, 5 million requests", "usd": 3.15}
    checked = questions.evaluate({**given, **CHECKED}).all["monthly_costs"]["environments"]
    ((line,),) = [[one for one in each["lines"] if "Route 53" in one["name"]] for each in checked[1:]]
    assert line == {"kind": "monitoring", "name": "Route 53 health check over HTTPS, with its alarm", "usd": 1.6}
    assert not any("Route 53" in one["name"] for one in checked[0]["lines"])
    busy = logged["with_traffic"]["high"]["environments"][1]["lines"]
    assert [one["name"] for one in busy if "logs, " in one["name"]] == ["Flow logs, 47.0 GB", "Access logs, 31.5 GB"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"environment_settings": [{"name": "../../x"}]}, "cannot be given; give environment_overrides instead"),
        ({"prices": {}}, "cannot be given"),
        ({"kit_version": "x"}, "cannot be given"),
        ({"architecture": "arm64", "customize": False}, "belongs to the questions under customize"),
        ({"canary_percent": 20}, "belongs to deployment_strategy canary, which no environment uses"),
        ({"approve_running": True}, "whose deployment strategy shifts traffic, and there is none"),
        ({"running_environments": ["prod"]}, "cannot be given; give approve_running instead"),
    ],
    ids=str,
)
def test_copier_lets_nothing_in_by_the_side(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        generate(tmp_path / "service", **given)
    assert not (tmp_path / "service").exists()


def test_copier_records_what_is_given(tmp_path: Path) -> None:
    service = generate(tmp_path / "service", architecture="arm64")
    recorded = yaml.safe_load((service / ".copier-answers.yml").read_text("utf-8"))
    assert recorded["customize"] is True
    assert recorded["architecture"] == "arm64"
    assert not set(recorded) & {name for name, details in QUESTIONS.items() if details.get("when") is False}
