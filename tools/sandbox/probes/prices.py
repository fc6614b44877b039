"""The price list: what AWS charges today."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from ..account import said
from ..registry import probe
from ..sandbox import Sandbox
from ..verdicts import Undecided, Verdict, decided

_FILE = Path(__file__).parents[3] / "includes" / "prices.yml"
# AWS serves the list of all regions from a few of them.
_SERVED_FROM = "us-east-1"
# The keys of a price, the service that charges it, and what its usage type ends with.
_USAGE = {
    ("fargate", "x86_64", "vcpu_hour"): ("AmazonECS", "Fargate-vCPU-Hours:perCPU"),
    ("fargate", "x86_64", "gb_hour"): ("AmazonECS", "Fargate-GB-Hours"),
    ("fargate", "arm64", "vcpu_hour"): ("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU"),
    ("fargate", "arm64", "gb_hour"): ("AmazonECS", "Fargate-ARM-GB-Hours"),
    ("nat_gateway_hour",): ("AmazonEC2", "NatGateway-Hours"),
    ("nat_gateway_gb",): ("AmazonEC2", "NatGateway-Bytes"),
    ("log_gb",): ("AmazonCloudWatch", "DataProcessing-Bytes"),
    ("ecr_gb_month",): ("AmazonECR", "TimedStorage-ByteHrs"),
    ("kms_key_month",): ("awskms", "KMS-Keys"),
    ("secret_month",): ("AWSSecretsManager", "AWSSecretsManager-Secrets"),
}


@probe("list-prices")
def list_prices(sandbox: Sandbox) -> Verdict:
    """Prices of the kit beside those of the list, in the region of the kit's prices."""
    prices = yaml.safe_load(_FILE.read_text("utf-8"))
    pricing, region = sandbox.client("pricing", _SERVED_FROM), prices["region"]
    listed: dict[str, list[Mapping[str, Any]]] = {}
    wrong, unknown, right = [], [], 0
    for keys, (service, usage) in _USAGE.items():
        ours: Any = prices
        for key in keys:
            ours = ours[key]
        if service not in listed:
            try:
                listed[service] = _products(pricing, service, region)
            except (ClientError, BotoCoreError) as error:
                raise Undecided(f"the price list could not be read: {said(error)}") from error
        theirs = {price for one in listed[service] if _usage(one).endswith(usage) for price in _usd(one)}
        name = ".".join(keys)
        if not theirs:
            unknown.append(name)
        elif ours in theirs:
            right += 1
        else:
            wrong.append(f"{name} is {ours} and not {sorted(theirs)}")
    if not right and not wrong:
        raise Undecided(f"the price list has no usage type of {', '.join(unknown)}")
    not_found = f"; not found: {', '.join(unknown)}" if unknown else ""
    return decided(not wrong, f"{'; '.join(wrong) or f'{right} prices are those of the list'}{not_found}")


def _products(pricing: Any, service: str, region: str) -> list[Mapping[str, Any]]:
    wanted = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}]
    if service == "AmazonEC2":  # Tens of thousands of instances otherwise.
        wanted.append({"Type": "TERM_MATCH", "Field": "productFamily", "Value": "NAT Gateway"})
    pages = pricing.get_paginator("get_products").paginate(ServiceCode=service, Filters=wanted)
    return [json.loads(one) for page in pages for one in page["PriceList"]]


def _usage(product: Mapping[str, Any]) -> str:
    return str(product["product"]["attributes"].get("usagetype", ""))


def _usd(product: Mapping[str, Any]) -> set[float]:
    """The prices on demand, of each tier."""
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    dimensions = [one for term in terms for one in term["priceDimensions"].values()]
    return {float(price) for one in dimensions if (price := one["pricePerUnit"].get("USD"))}
