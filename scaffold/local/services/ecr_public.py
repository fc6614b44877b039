"""Emulates the one call of ECR Public that builds make: signing in."""

from __future__ import annotations

import base64
import time

from scaffold.local.protocol import AwsService, Call, Document

_VALID_SECONDS = 12 * 3600


class EcrPublic(AwsService):
    """GetAuthorizationToken. The token is valid nowhere."""

    name = "ecr-public"
    invalid_input = "InvalidParameterException"

    def get_authorization_token(self, _call: Call) -> Document:
        """A user name and a password, encoded as ECR Public encodes them."""
        token = base64.b64encode(b"AWS:local-aws-password").decode()
        return {"authorizationData": {"authorizationToken": token, "expiresAt": time.time() + _VALID_SECONDS}}
