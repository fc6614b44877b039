"""The regions of AWS, for documents whose length or content depends on the region."""

from __future__ import annotations

import functools
import json
from typing import Any

import botocore.session

from tests.infrastructure.stacks import REGION

REFUSED_PARTITION = "aws-cn"


@functools.cache
def regions() -> list[tuple[str, str]]:
    """Every partition and region that the kit accepts."""
    session = botocore.session.Session()
    return [
        (partition, region)
        for partition in session.get_available_partitions()
        if partition != REFUSED_PARTITION
        for region in session.get_available_regions("cloudformation", partition)
    ]


@functools.cache
def longest_regions() -> list[tuple[str, str]]:
    """The region with the longest name of each partition: a document is nowhere longer."""
    partitions = dict.fromkeys(partition for partition, _ in regions())
    return [(one, max((region for own, region in regions() if own == one), key=len)) for one in partitions]


def moved(document: Any, partition: str, region: str) -> Any:
    """A resolved document as it is in another partition and region."""
    text = json.dumps(document).replace("arn:aws:", f"arn:{partition}:").replace(REGION, region)
    return json.loads(text)


def size(document: Any) -> int:
    """The characters of a policy that count for IAM's quotas: all but white space."""
    return len("".join(json.dumps(document).split()))
