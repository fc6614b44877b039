"""The probe of prices, against lists that local AWS does not have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tools.sandbox.probes.prices import list_prices
from tools.sandbox.verdicts import Undecided

RIGHT = {"KMS-Keys": ["1.0000000000"], "USE1-NatGateway-Hours": ["0.0450000000"]}


def sandbox(listed: dict[str, list[str]]) -> Any:
    """A sandbox whose price list has these usage types of each service, with the prices of their tiers."""
    products = [
        {
            "product": {"attributes": {"usagetype": usage}},
            "terms": {"OnDemand": {"a": {"priceDimensions": {one: {"pricePerUnit": {"USD": one}} for one in prices}}}},
        }
        for usage, prices in listed.items()
    ]

    def paginate(**_: Any) -> Iterator[dict[str, Any]]:
        yield {"PriceList": [json.dumps(one) for one in products]}

    pricing = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=paginate))
    return SimpleNamespace(client=lambda *_: pricing)


def test_prices_are_compared_by_their_usage_types() -> None:
    found = list_prices(sandbox(RIGHT))
    assert "2 prices are those of the list; not found: fargate.x86_64.vcpu_hour" in found.evidence
    wrong = list_prices(sandbox({**RIGHT, "KMS-Keys": ["2.0", "3.0"]}))
    assert "kms_key_month is 1.0 and not [2.0, 3.0]" in wrong.evidence
    assert found.outcome != wrong.outcome


def test_a_list_without_any_of_them_decides_nothing() -> None:
    with pytest.raises(Undecided, match="no usage type of fargate"):
        list_prices(sandbox({}))
