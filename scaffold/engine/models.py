"""The models of AWS's APIs, which all sessions share: each role has sessions, and reading the models takes time."""

from __future__ import annotations

import botocore.session
from botocore.loaders import Loader

MODELS = Loader()


def new_session() -> botocore.session.Session:
    """A session of botocore's that reads no model twice."""
    session = botocore.session.Session()
    session.register_component("data_loader", MODELS)
    return session
