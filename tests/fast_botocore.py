"""botocore without work that it repeats for each session and client: tests of one process create thousands of them."""

from __future__ import annotations

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import hooks, parsers, regions, useragent
from botocore.client import ClientCreator
from botocore.loaders import Loader
from botocore.model import ServiceModel

if TYPE_CHECKING:
    import pytest  # Processes that fork do without it.


class Permanently:
    """Patches for as long as the process runs."""

    setattr = staticmethod(setattr)


def fast_botocore(monkeypatch: pytest.MonkeyPatch | Permanently) -> None:
    """Let all sessions and clients share what follows from models and names."""
    read_models_once(monkeypatch)
    prepare_clients_once(monkeypatch)
    read_endpoint_rules_once(monkeypatch)
    parse_timestamps_once(monkeypatch)
    look_at_names_once(monkeypatch)


def read_models_once(monkeypatch: pytest.MonkeyPatch | Permanently) -> None:
    """Let all sessions share the API models, which take longer to read than most tests take."""
    create_loader = botocore.session.create_loader
    caches: dict[str | None, dict[Any, Any]] = defaultdict(dict)

    def sharing_loader(search_path: str | None = None) -> Loader:
        loader = create_loader(search_path)
        loader._cache = caches[search_path]
        return loader

    monkeypatch.setattr(botocore.session, "create_loader", sharing_loader)


def prepare_clients_once(monkeypatch: pytest.MonkeyPatch | Permanently) -> None:
    """Let the clients of a service share its model and methods, and copy the handlers of events with less ado."""
    make_model, make_methods = ClientCreator._load_service_model, ClientCreator._create_methods
    models: dict[int, tuple[Any, ServiceModel]] = {}
    methods: dict[ServiceModel, dict[str, Any]] = {}

    def model_once(creator: ClientCreator, name: str, api_version: str | None = None) -> ServiceModel:
        loaded = creator._loader.load_service_model(name, "service-2", api_version=api_version)
        if id(loaded) not in models:
            models[id(loaded)] = loaded, make_model(creator, name, api_version)
        return models[id(loaded)][1]

    def methods_once(creator: ClientCreator, model: ServiceModel) -> dict[str, Any]:
        if model not in methods:
            methods[model] = make_methods(creator, model)
        return dict(methods[model])

    monkeypatch.setattr(ClientCreator, "_load_service_model", model_once)
    monkeypatch.setattr(ClientCreator, "_create_methods", methods_once)
    monkeypatch.setattr(hooks._PrefixTrie, "__copy__", _copy_trie)


def _copy_trie(trie: hooks._PrefixTrie) -> hooks._PrefixTrie:
    copied = hooks._PrefixTrie()
    copied._root = _copy(trie._root)
    return copied


def _copy(node: dict[str, Any]) -> dict[str, Any]:
    values = node["values"]
    return {
        "chunk": node["chunk"],
        "values": values and hooks.NodeList(*map(list, values)),
        "children": {chunk: _copy(child) for chunk, child in node["children"].items()},
    }


def read_endpoint_rules_once(monkeypatch: pytest.MonkeyPatch | Permanently) -> None:
    """Let the clients of a service share the rules of its endpoints, and what follows from them."""
    make = regions.EndpointProvider
    providers: dict[int, tuple[Any, Any]] = {}

    def provider_once(ruleset_data: Any, **more: Any) -> Any:
        if id(ruleset_data) not in providers:
            providers[id(ruleset_data)] = ruleset_data, make(ruleset_data=ruleset_data, **more)
        return providers[id(ruleset_data)][1]

    monkeypatch.setattr(regions, "EndpointProvider", provider_once)


def parse_timestamps_once(monkeypatch: pytest.MonkeyPatch | Permanently) -> None:
    """Let all answers share the parsed timestamps: most of an account's are those of the answers before."""
    monkeypatch.setattr(
        parsers, "DEFAULT_TIMESTAMP_PARSER", functools.lru_cache(4096)(parsers.DEFAULT_TIMESTAMP_PARSER)
    )


def look_at_names_once(monkeypatch: pytest.MonkeyPatch | Permanently) -> None:
    """Let all calls share what depends on names alone: aliases of events, handlers' parameters, the user agent."""
    current_name = functools.cache(hooks.EventAliaser(hooks.HierarchicalEmitter())._alias_event_name)
    sanitized = functools.cache(useragent.sanitize_user_agent_string_component)
    accepts_kwargs = hooks.accepts_kwargs

    def accepts(handler: Callable[..., Any]) -> Any:
        function: Any = handler
        while isinstance(function, MethodType | functools.partial):
            function = function.__func__ if isinstance(function, MethodType) else function.func
        if isinstance(function, FunctionType):
            return bool(function.__code__.co_flags & inspect.CO_VARKEYWORDS)
        return accepts_kwargs(handler)

    monkeypatch.setattr(hooks.EventAliaser, "_alias_event_name", lambda _, name: current_name(name))
    monkeypatch.setattr(hooks, "accepts_kwargs", accepts)
    monkeypatch.setattr(useragent, "sanitize_user_agent_string_component", sanitized)
