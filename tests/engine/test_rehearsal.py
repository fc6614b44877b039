"""docs/rehearsal.md: each behaviour has a test, and each test of a behaviour of AWS is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parents[1] / "docs" / "rehearsal.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| behaviour")]


PARTS = ("balancer", "builds", "databases", "executors", "metrics", "pipeline", "pull_requests", "tasks")

#: Tests of how the engine works, or of the kit's files in it, which AWS says nothing about.
MECHANICS = {
    *(f"builds/test_{name}.py" for name in ("aws_command", "files", "log", "run", "service", "shell")),
    *(f"tasks/test_{name}.py" for name in ("images", "processes", "runner", "worker")),
    "executors/test_failing.py",
}
OF_THE_ENGINE = {
    "test_a_build_gets_what_the_api_cannot_say",
    "test_a_build_has_the_shape_of_the_api",
    "test_a_build_that_is_refused_fails_the_action",
    "test_a_malformed_request_is_refused",
    "test_a_port_of_its_own_reaches_variables_and_health_check",
    "test_a_relative_working_directory_is_refused",
    "test_a_rule_whose_end_does_not_matter_any_more_ends",
    "test_a_wrong_deployment_window_fails_the_rule",
    "test_absolute_paths_of_the_image_are_found",
    "test_addresses_are_kept_and_closed",
    "test_an_answered_approval_waits_no_longer",
    "test_an_expression_that_is_not_rehearsed_is_refused",
    "test_an_update_leaves_the_endpoint_where_it_is",
    "test_another_runtime_needs_a_container_engine",
    "test_any_document_is_read_or_refused",
    "test_any_text_is_evaluated_or_not_rehearsed",
    "test_any_text_is_read_or_refused",
    "test_arithmetic_has_the_precedence_of_numbers",
    "test_clients_of_the_older_protocol_are_answered",
    "test_each_metric_is_kept_for_a_day",
    "test_events_without_a_reason",
    "test_everything_that_is_rehearsed",
    "test_minutes_that_ended_together_are_evaluated_one_after_the_other",
    "test_nothing_outlives_a_killed_server",
    "test_tasks_of_the_alternate_target_group_have_another_one_without_it",
    "test_the_api_is_asked_when_a_build_has_ended",
    "test_the_clock_shortens_periods",
    "test_the_kits_own",
    "test_the_rule_waits_in_its_time_zone",
    "test_websockets_are_not_rehearsed",
    "test_what_a_rule_cannot_watch_fails_it",
    "test_what_builds_do_not_rehearse_is_said",
    "test_what_is_not_rehearsed",
    "test_without_namespaces_tasks_have_ports_of_their_own",
}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("test_*.py"))


def defined(path: Path) -> set[str]:
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    return {function.name for function in functions if function.name.startswith("test_")}


def names(folder: Path) -> set[str]:
    return {name for path in modules(folder) for name in defined(path)}


def named(row: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", row.split("|")[-2])


def test_each_behaviour_has_a_test() -> None:
    existing = names(TESTS)
    for row in ROWS:
        assert named(row), row
        assert set(named(row)) <= existing, row


def test_each_test_of_a_behaviour_of_aws_is_documented() -> None:
    tested = {path.relative_to(TESTS).as_posix(): defined(path) for part in PARTS for path in modules(TESTS / part)}
    of_aws = {name for path, found in tested.items() if path not in MECHANICS for name in found}
    assert of_aws - OF_THE_ENGINE <= {name for row in ROWS for name in named(row)}


def test_the_exceptions_are_needed() -> None:
    assert {path for path in MECHANICS if (TESTS / path).exists()} == MECHANICS
    assert names(TESTS) >= OF_THE_ENGINE
    assert not {name for row in ROWS for name in named(row)} & OF_THE_ENGINE
