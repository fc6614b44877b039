"""A stack's desired state: its CloudFormation template with the configuration file beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from scaffold.core.errors import ScaffoldError
from scaffold.core.yaml_errors import reason
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import StackId, StackKind

# The largest template that CloudFormation accepts inline; a larger one is read from a bucket.
INLINE_BYTES = 51_200

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TemplateLoader(_Loader):  # type: ignore[misc]
    """Reads templates; `!Ref`, `!Sub` and the like become plain values, since they are not evaluated here."""


def _plain(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_TemplateLoader.add_multi_constructor("!", _plain)
# A date is text for CloudFormation; PyYAML would refuse one that no calendar has.
_TemplateLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


@dataclass(frozen=True)
class Resource:
    """A resource as its template declares it.

    Attributes:
        logical_id: Its name in the template.
        type: Its CloudFormation type.
        description: Its `Metadata.Description`; empty for none.
        retained: Whether its deletion policy retains it when the stack is deleted.
        disposable: Whether its metadata lets `scaffold destroy` delete it with its content.
        condition: The template's condition for its existence; empty for none.
    """

    logical_id: str
    type: str
    description: str = ""
    retained: bool = False
    disposable: bool = False
    condition: str = ""


def resources_of(body: Any) -> dict[str, Resource]:
    """The resources of a template by their logical id; empty where the template cannot be read.

    Args:
        body: The template's text, or the mapping that botocore makes of a JSON template.
    """
    declared = _mapping(parse(body).get("Resources"))
    return {logical_id: _resource(logical_id, _mapping(resource)) for logical_id, resource in declared.items()}


def parse(body: Any) -> dict[str, Any]:
    """A template as a mapping, functions left unevaluated; empty where it cannot be read.

    Args:
        body: The template's text, or a mapping already.
    """
    if isinstance(body, str):
        try:
            body = _load(body)
        except (yaml.YAMLError, RecursionError, ValueError):
            return {}
    return _mapping(body)


@lru_cache(maxsize=32)  # environments share templates
def _load(text: str) -> Any:
    return yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 (a safe loader)


def _check(path: str, spec: StackSpec) -> None:
    """Refuse a template that cannot be read or declares nothing, which CloudFormation would do after the push."""
    try:
        declared = spec.resources
    except yaml.YAMLError as error:
        raise _unreadable(path, reason(error)) from error
    except (RecursionError, ValueError) as error:
        raise _unreadable(path, "it is not a template in YAML") from error
    if not declared:
        raise _unreadable(path, "it declares no resources")


@dataclass(frozen=True)
class StackSpec:
    """A stack's desired state.

    Attributes:
        body: The template's text.
        deploy_role: The role that CloudFormation assumes, with its path; None for the caller's permissions.
        given: Parameters of the configuration file.
        policy: The stack policy, if the configuration file has one.
        protected: Whether it has termination protection.
    """

    name: str
    kind: StackKind
    deploy_role: str | None
    body: str
    given: dict[str, str]
    tags: dict[str, str]
    policy: dict[str, Any] | None
    protected: bool

    @cached_property
    def parsed(self) -> dict[str, Any]:
        """The template as a mapping."""
        return _mapping(_load(self.body))

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """The resources that the template declares."""
        return resources_of(self.parsed)

    @property
    def digest(self) -> str:
        """What differs for every template and stack policy; parameters and tags are compared by themselves."""
        return hashlib.sha256(json.dumps([self.body, self.policy], sort_keys=True).encode()).hexdigest()

    @property
    def parameters(self) -> dict[str, str]:
        """Every parameter's value: the configuration file's, else the template's default."""
        declared = _mapping(self.parsed.get("Parameters"))
        defaults = {key: _mapping(one).get("Default") for key, one in declared.items()}
        return {key: _as_text(value) for key, value in defaults.items() if value is not None} | self.given

    def with_parameter(self, name: str, value: str) -> StackSpec:
        """The same state with another value of a parameter; unchanged where the template does not declare it."""
        declared = _mapping(self.parsed.get("Parameters"))
        return replace(self, given=self.given | {name: value}) if name in declared else self

    @property
    def released(self) -> set[str]:
        """The parameters that neither file gives a value: the release does, such as the version of the image."""
        return _mapping(self.parsed.get("Parameters")).keys() - self.parameters.keys()

    @property
    def exports(self) -> dict[str, str | None]:
        """The names of the exports, by output; None for a name that is not evaluated here."""
        outputs = _mapping(self.parsed.get("Outputs")).items()
        return {key: self._substituted(one["Export"].get("Name")) for key, one in outputs if _exports(one)}

    def _substituted(self, text: Any) -> str | None:
        if not isinstance(text, str) or "${" not in text:
            # `!Ref X` and the name X look the same here.
            return None
        for key, value in {"AWS::StackName": self.name, **self.parameters}.items():
            text = text.replace(f"${{{key}}}", value)
        return None if "${" in text else text

    @property
    def too_large_inline(self) -> bool:
        """Whether CloudFormation has to read the template from a bucket."""
        return len(self.body.encode()) > INLINE_BYTES

    @property
    def capabilities(self) -> list[str]:
        """The capabilities that CloudFormation requires to be acknowledged."""
        expands = "Transform" in self.parsed
        return ["CAPABILITY_NAMED_IAM", *(["CAPABILITY_AUTO_EXPAND"] if expands else [])]


def load(service: Service, stack: StackId) -> StackSpec:
    """Read the template and the configuration file of a stack, and set its digest.

    Raises:
        ScaffoldError: A file is missing or cannot be read.
    """
    kind, folder = stack.kind, service.infrastructure
    body = _read(service.root, folder / f"{kind.name}.yaml")
    configuration = _configuration(service.root, folder / (stack.environment or "") / f"{kind.name}.json")
    spec = from_files(service, stack, body, configuration)
    _check(f"infrastructure/{kind.name}.yaml", spec)
    return spec.with_parameter(names.TEMPLATE_DIGEST, spec.digest)


def load_placeholder(service: Service, stack: StackId) -> StackSpec | None:
    """An environment's stack before its first release: the placeholder, with tags and stack policy of its own.

    Returns:
        None where the environment's folder declares no such stack.

    Raises:
        ScaffoldError: A file is missing or cannot be read.
    """
    own = service.infrastructure / (stack.environment or "")
    file = own / f"{stack.kind.name}.json"
    if not file.is_file() and not file.with_suffix(".yaml").is_file():
        return None
    body = _read(service.root, service.infrastructure / "placeholder.yaml")
    configuration = _configuration(service.root, file) if file.is_file() else {}
    spec = from_files(service, stack, body, configuration | {"Parameters": {"AppName": service.app_name}})
    _check("infrastructure/placeholder.yaml", spec)
    return spec


def from_files(service: Service, stack: StackId, body: str, configuration: dict[str, Any]) -> StackSpec:
    """The desired state that a template's text and the content of its configuration file describe."""
    kind = stack.kind
    role = names.deploy_role(service.app_name, stack.environment)
    if kind.data and stack.environment:
        role = names.data_role(service.app_name, stack.environment)
    return StackSpec(
        name=stack.name(service.app_name),
        kind=kind,
        deploy_role=role if kind.service_role else None,
        body=body,
        given=_parameters(configuration),
        tags={key: _as_text(value) for key, value in _mapping(configuration.get("Tags")).items()},
        policy=configuration.get("StackPolicy") or None,
        protected=service.protects(stack),
    )


def given_parameters(service: Service, stack: StackId) -> dict[str, str]:
    """The parameters of a stack's configuration file; none where there is no such file.

    Raises:
        ScaffoldError: The file cannot be read.
    """
    path = service.infrastructure / (stack.environment or "") / f"{stack.kind.name}.json"
    return _parameters(_configuration(service.root, path)) if path.is_file() else {}


def _resource(logical_id: str, resource: dict[str, Any]) -> Resource:
    metadata = _mapping(resource.get("Metadata"))
    description = metadata.get("Description")
    return Resource(
        logical_id=logical_id,
        type=str(resource.get("Type", "")),
        description=description if isinstance(description, str) else "",
        retained=str(resource.get("DeletionPolicy", "")).startswith("Retain"),
        disposable=metadata.get("Disposable") is True,
        condition=str(resource.get("Condition", "")),
    )


def _exports(output: Any) -> bool:
    return bool(_mapping(_mapping(output).get("Export")))


def _parameters(configuration: dict[str, Any]) -> dict[str, str]:
    return {key: _as_text(value) for key, value in _mapping(configuration.get("Parameters")).items()}


def _configuration(root: Path, path: Path) -> dict[str, Any]:
    try:
        return _mapping(json.loads(_read(root, path)))
    except ValueError as error:
        raise _unreadable(str(path.relative_to(root)), str(error)) from error


def _read(root: Path, path: Path) -> str:
    try:
        # Line ends as they are in Git: a checkout on Windows must not look like a changed template.
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise _unreadable(str(path.relative_to(root)), why) from error


def _unreadable(path: str, why: str) -> ScaffoldError:
    return ScaffoldError(
        f"{path} of the service cannot be used: {why}.",
        f"Fix or restore it, and commit; `git log -p -- {path}` shows its versions.",
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_as_text(item) for item in value)
    return str(value)
