"""Whether an image of local AWS was built without a container engine."""

from __future__ import annotations

import json
from contextlib import suppress
from http.client import HTTPException

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session
from scaffold.core.loopback import direct_opener
from scaffold.core.stand_in import PROCESS_LABEL
from scaffold.service import names

_SECONDS = 10


def is_stand_in(session: Session, app_name: str, digest: str) -> bool:
    """Whether an image is a stand-in, by its own label. Only local AWS has such images, and only it is asked."""
    if not session.target.local or not digest:
        return False
    ecr = session.client("ecr")
    repository = names.repository(app_name)
    with suppress_code("ImageNotFoundException", "RepositoryNotFoundException"), suppress(OSError, HTTPException):
        found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        # ECR's download URLs have the names of hosts, and local AWS is an address.
        for manifest in (json.loads(one["imageManifest"]) for one in found["images"]):
            config = manifest.get("config", {}).get("digest")
            if config:
                url = f"{ecr.meta.endpoint_url}/v2/{repository}/blobs/{config}"
                with direct_opener().open(url, timeout=_SECONDS) as blob:
                    return PROCESS_LABEL in (json.load(blob).get("config", {}).get("Labels") or {})
    return False
