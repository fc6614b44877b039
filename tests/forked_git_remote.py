"""git-remote-codecommit in a fork of the process that imported this module."""

from __future__ import annotations

import importlib.util

import botocore.session
from git_remote_codecommit import main as main

from tests.fast_botocore import Permanently, fast_botocore

if importlib.util.find_spec("awscli"):
    import awscli.plugin as plugin  # noqa: F401 (git-remote-codecommit imports it when it runs)

fast_botocore(Permanently())
_session = botocore.session.get_session()
for _partition in _session.get_available_partitions():
    _session.get_available_regions("codecommit", _partition)
