"""The AWS CLI in a fork of the process that imported this module."""

from __future__ import annotations

import awscli.handlers as handlers  # noqa: F401 (it imports all commands)
from awscli.clidriver import create_clidriver
from awscli.clidriver import main as main

from tests.fast_botocore import Permanently, fast_botocore

fast_botocore(Permanently())
_driver = create_clidriver()
_driver.create_help_command()  # which makes the table of the commands
_components = _driver.session.get_component("data_loader")
for _kind in ("paginators-1", "waiters-2"):
    _components.list_available_services(_kind)
for _service in ("cloudformation", "codecommit", "codepipeline", "ecr", "ecs", "s3", "sts"):
    _driver.session.create_client(_service, region_name="us-east-1")
    _driver.session.get_paginator_model(_service)
