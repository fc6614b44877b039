"""The models of AWS's APIs, which all sessions share: each role has sessions, and reading the models takes time."""

from __future__ import annotations

from botocore.loaders import Loader

MODELS = Loader()
