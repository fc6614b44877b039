"""The sets of answers contain every pair of values that the kit accepts together."""

from __future__ import annotations

import pytest

from scaffold.kit.rendering import open_kit
from tests.infrastructure.variants import every_pair, pairwise, rows
from tests.kits import kit_repository

# A bucket's name would be too long; AWS GovCloud lacks budgets, chat and the certificates of RDS; some options need
# several environments, a shift, an approval, an address, private subnets, or networks of the service's own. A health
# check needs a name that everybody reaches, and an address.
IMPOSSIBLE = {
    ("app_name", "data"),
    ("aws_region", "monthly_budget"),
    ("aws_region", "chat_notifications"),
    ("aws_region", "database"),
    ("environments", "office_hours"),
    ("environments", "approval"),
    ("environments", "load_test"),
    ("production", "office_hours"),
    ("production", "load_test"),
    ("scan_gate", "scan_engine"),
    ("scan_gate", "nightly_scan"),
    ("deployment_strategy", "approve_running"),
    ("vpc", "database"),
    ("vpc", "build_network"),
    ("vpc", "flow_logs"),
    ("notification_email", "monthly_budget"),
    ("build_network", "ingress"),
    ("waf", "load_test"),
    ("approval", "approvers"),
    ("approval", "approve_running"),
    *((one, "health_check") for one in ("aws_region", "vpc", "notification_email", "ingress", "domain")),
}


def test_every_pair_is_there_but_those_that_the_kit_refuses() -> None:
    found = rows()
    missing = [pair for pair in every_pair() if not any(pair.items() <= row.items() for row in found)]
    assert {tuple(pair) for pair in missing} == IMPOSSIBLE
    assert len(missing) == 28
    # Each costs a service that is generated, linted and scanned.
    assert len(found) <= 50


@pytest.mark.slow
def test_the_kit_accepts_all_of_them() -> None:
    with open_kit(str(kit_repository())) as kit:
        questionnaire = kit.questionnaire()
        for answers in pairwise():
            assert questionnaire.evaluate(answers).recorded.keys() >= answers.keys()
