"""A name stays a string in every generated file, also a name that YAML reads as another type.

YAML 1.1 reads `no` as false and 1_000 as a number; YAML 1.2 reads 0o17 and 1e3 as numbers. Readers of the files use
either version.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.core.errors import UsageError
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.rendering import open_kit
from tests.kits import commit_all, copy_kit, generate, kit_repository

# The plain scalars of YAML 1.1 (yaml.org/type) and of YAML 1.2's core schema that are no strings.
YAML_1_1 = re.compile(
    r"""~|null|Null|NULL
    |y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF
    |[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+
    |[-+]?([0-9][0-9_]*)?\.[0-9_]*([eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|<<|=
    |\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?([Tt]|[ \t]+)\d\d?:\d\d:\d\d(\.\d*)?([ \t]*(Z|[-+]\d\d?(:\d\d)?))?""",
    re.VERBOSE,
)
YAML_1_2 = re.compile(
    r"""~|null|Null|NULL|true|True|TRUE|false|False|FALSE
    |[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+
    |[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)""",
    re.VERBOSE,
)
WORDS = [
    *("y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".inf", "-.inf", ".nan", "<<", "="),
    *("1e3", "1.5e3", "1.", "0o17", "0x1f", "0b101", "010", "1_000", "12:30", "12:30:45", "2024-01-01", "089"),
]
WORDS += [word.upper() for word in WORDS] + [word.capitalize() for word in WORDS]


class Typed(yaml.CSafeLoader):
    """YAML that types plain scalars by one version's rules, and accepts every tag."""


def construct_any(loader: yaml.CSafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


def loader_of(no_strings: re.Pattern[str]) -> type[yaml.CSafeLoader]:
    """A loader that reads each plain scalar of the pattern as ("no string", its text)."""
    loader = type("Loader", (Typed,), {"yaml_implicit_resolvers": {None: [("!no-string", fullmatch(no_strings))]}})
    loader.add_multi_constructor("!", construct_any)
    loader.add_constructor("!no-string", lambda _, node: ("no string", node.value))
    return loader


def fullmatch(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern.pattern})\Z", pattern.flags)


# By default, the block of a VPC is derived from the names.
ONE_BLOCK = {"customize": True, "vpc_cidr": "10.0.0.0/16"}
LOADERS = {"YAML 1.1": loader_of(YAML_1_1), "YAML 1.2": loader_of(YAML_1_2)}


def documents(service: Path) -> Iterator[tuple[str, Any]]:
    """Every YAML, JSON and TOML file of a service as its readers see it, and all others as text."""
    for path in sorted(path for path in service.rglob("*") if path.is_file()):
        text, name = path.read_text("utf-8"), str(path.relative_to(service))
        if path.suffix in (".yaml", ".yml"):
            for version, loader in LOADERS.items():
                yield f"{name} in {version}", yaml.load(text, loader)
        elif path.suffix == ".json":
            yield name, json.loads(text)
        elif path.suffix == ".toml":
            yield name, tomllib.loads(text)
        else:
            yield name, text


def renamed(value: Any, old: str, new: str) -> Any:
    """A value with another name in all of its strings, keys included."""
    if isinstance(value, dict):
        return {renamed(key, old, new): renamed(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, old, new) for inner in value]
    if isinstance(value, str):
        value = value.replace(old, new).replace(old.capitalize(), new.capitalize())
        return value.replace(f"_{old.upper()}", f"_{new.upper()}")  # Names of variables.
    return value


def accepted(question: str) -> list[str]:
    """The words that a question's validator accepts."""
    with open_kit(str(kit_repository())) as kit:
        questionnaire = kit.questionnaire()
        return [word for word in dict.fromkeys(WORDS) if is_valid(questionnaire, question, word)]


def is_valid(questionnaire: Questionnaire, question: str, word: str) -> bool:
    try:
        return bool(questionnaire.evaluate({"app_name": "hello-service", question: word}).recorded[question] == word)
    except UsageError:
        return False


def test_the_patterns_know_yaml():
    for word in ("no", "Off", "~", "1_000", "010", "0x1f", "12:30", "2024-01-01", "1.", ".inf"):
        assert fullmatch(YAML_1_1).match(word), word
    for word in ("null", "0o17", "1e3", "089", ".NAN"):
        assert fullmatch(YAML_1_2).match(word), word
    for pattern, word in itertools.product((YAML_1_1, YAML_1_2), ("none", "dev", "v1.0", "2024-01-01x", "e3")):
        assert not fullmatch(pattern).match(word), word


def test_a_name_without_quotes_is_found():
    assert yaml.load("Name: no", LOADERS["YAML 1.1"]) == {"Name": ("no string", "no")}
    assert yaml.load("Name: 'no'", LOADERS["YAML 1.1"]) == {"Name": "no"}


def assert_renamed(before: dict[str, Any], after: dict[str, Any], names: dict[str, str]) -> None:
    """Whether two services differ in names only."""

    def rename(value: Any) -> Any:
        for old, new in names.items():
            value = renamed(value, old, new)
        return value

    assert set(after) == {rename(path) for path in before}
    for path, document in before.items():
        assert without_times(after[rename(path)]) == without_times(rename(document)), path


def without_times(value: Any) -> Any:
    """A document without the times of what runs each night, which follow from the service's name."""
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return re.sub(r"cron\(\d+ \d+ \* \* ", "cron(each night ", value) if isinstance(value, str) else value


@pytest.mark.slow
def test_each_word_of_yaml_that_names_environments_stays_a_name(tmp_path: Path) -> None:
    """All of them at once, with settings of their own, and an account that starts with 0."""
    words = accepted("environments")
    assert {"no", "yes", "on", "off", "true", "null"} <= set(words)
    assert len(words) <= 8

    def service(folder: str, environments: list[str]) -> dict[str, Any]:
        overrides = {name: {"max_tasks": 11 + index} for index, name in enumerate(environments)}
        answers: dict[str, Any] = {"environments": ",".join(environments), "environment_overrides": overrides}
        answers |= {"production": environments[1], **ONE_BLOCK}
        found = dict(documents(generate(tmp_path / folder, aws_account_id="089123456789", **answers)))
        del found[".copier-answers.yml in YAML 1.2"]  # Copier, its only reader and writer, knows YAML 1.1.
        return found

    quiet = {f"quiet{index}": word for index, word in enumerate(words)}
    assert_renamed(service("harmless", list(quiet)), service("words", words), quiet)


@pytest.mark.slow
def test_each_word_of_yaml_that_names_a_service_stays_a_name(tmp_path: Path) -> None:
    words = accepted("app_name")
    assert {"yes", "off", "true", "null"} <= set(words)
    harmless = dict(documents(generate(tmp_path / "harmless", app_name="quiet-name", **ONE_BLOCK)))
    # Two words of different kinds tell about all: they are rendered in the same places.
    for word in ("null", "off"):
        service = generate(tmp_path / word, app_name=word, **ONE_BLOCK)
        assert_renamed(harmless, dict(documents(service)), {"quiet-name": word})


@pytest.mark.parametrize("question", ["aws_region", "notification_email", "vpc_cidr"])
def test_no_word_of_yaml_is_a_valid_answer_to_other_questions(question: str) -> None:
    assert accepted(question) == []


@pytest.mark.parametrize("version", ["1.0", "2024.1"])
def test_a_version_of_the_kit_and_a_description_stay_strings(version: str, tmp_path: Path) -> None:
    import copier

    kit = copy_kit(tmp_path / "kit")
    commit_all(kit, tag=version)
    answers = {"app_name": "hello-service", "customize": True, "description": "1_000"}
    copier.run_copy(str(kit), tmp_path / "service", answers, defaults=True, quiet=True)
    for name, loader in LOADERS.items():
        pipeline = yaml.load((tmp_path / "service/infrastructure/pipeline.yaml").read_text("utf-8"), loader)
        recorded = yaml.load((tmp_path / "service/.copier-answers.yml").read_text("utf-8"), loader)
        assert (pipeline["Metadata"]["KitVersion"], recorded["_commit"]) == (version, version), name
        assert recorded["description"] == "1_000", name


def test_a_key_that_yaml_does_not_read_as_a_name_is_refused() -> None:
    answers = {"app_name": "hello-service", "environments": "de,no", "environment_overrides": "{no: {max_tasks: 3}}"}
    with open_kit(str(kit_repository())) as kit, pytest.raises(UsageError, match="quote it"):
        kit.questionnaire().evaluate(answers)


def numbers_with_points(document: Any) -> Iterator[str]:
    """The plain scalars that YAML 1.1 reads as numbers with a fraction: 3.10 would become 3.1."""
    if isinstance(document, tuple):
        yield from [document[1]] if re.fullmatch(r"[\d.]*\.[\d.]*", document[1]) else []
    elif isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from numbers_with_points(value)


def test_versions_are_strings(tmp_path: Path) -> None:
    found = {
        (path.split()[0], number)
        for path, document in documents(generate(tmp_path / "service"))
        for number in numbers_with_points(document)
    }
    # The version of the buildspec's format, which CodeBuild documents as a number.
    assert found == {
        (f"config/buildspecs/{name}.yml", "0.2") for name in ("build", "checks", "plan", "release", "tests")
    }
