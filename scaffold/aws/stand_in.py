"""Whether an image of local AWS was built without a container engine."""

from __future__ import annotations

import json
import urllib.request
from contextlib import suppress
from http.client import HTTPException

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session
from scaffold.service import names

#: What a text says of a result with such an image.
WITHOUT_ENGINE = "without a container engine"

# Of images whose process runs on the machine of local AWS.
_LABEL = "io.gitops-scaffold.process"
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
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for manifest in (json.loads(one["imageManifest"]) for one in found["images"]):
            config = manifest.get("config", {}).get("digest")
            if config:
                with opener.open(f"{ecr.meta.endpoint_url}/v2/{repository}/blobs/{config}", timeout=_SECONDS) as blob:
                    return _LABEL in (json.load(blob).get("config", {}).get("Labels") or {})
    return False
