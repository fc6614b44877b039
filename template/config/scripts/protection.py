#!/usr/bin/env python3
"""Say which load balancers and databases this release protects from deletion from its beginning, as lines for a shell.

    APP_NAME=... PROTECTED=prod,dr DATABASES=dev,prod protection.py

With that attribute, CloudFormation deletes neither, not even those of a first release which it rolls back. So an
environment has it from the release on that finds the load balancer of an earlier one; a database gets it right after
its creation, by an action of its own, and keeps it in all later releases. Prints `export PROTECT_PROD` with true or
false for each environment of PROTECTED, and `export PROTECT_DATABASE_DEV` for each of DATABASES, if that is set. Exit
codes: 0 printed, 1 a stack cannot be read, 2 usage error.
"""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

from aws_cli import Denied, Problem
from deployed_stacks import read
from plan_stacks import PROTECTION, UPDATABLE

PRINTED, UNREAD, USAGE_ERROR = 0, 1, 2
NAMES = re.compile("[a-z0-9]+(,[a-z0-9]+)*")
DATABASE_PROTECTION = "ProtectDatabase"


def protect(stack: str, parameter: str) -> bool:
    """Whether a release protects from its beginning what a stack holds.

    Args:
        parameter: The stack's parameter for that.

    Raises:
        Problem: CloudFormation does not describe it.
    """
    try:
        found = (read("describe-stacks", stack) or {"Stacks": [{}]})["Stacks"][0]
        deployed = {one["ParameterKey"]: one.get("ParameterValue") for one in found.get("Parameters", [])}
    except Denied:
        # This release updates the role of this build; the next one finds out.
        return False
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Problem(f"CloudFormation's description of {stack} is incomplete; retry the stage") from error
    # A stack that another release changes at this moment may still be rolled back, but not what is protected already.
    return deployed.get(parameter) == "true" or (parameter in deployed and found.get("StackStatus") in UPDATABLE)


def main() -> int:
    app, protected, databases = (os.environ.get(name, "") for name in ("APP_NAME", "PROTECTED", "DATABASES"))
    if not app or not NAMES.fullmatch(protected) or not NAMES.fullmatch(databases or protected):
        print("Set APP_NAME, and PROTECTED and DATABASES to names of environments.", file=sys.stderr)
        return USAGE_ERROR
    asked = [(f"PROTECT_{one.upper()}", f"{app}-{one}-environment", PROTECTION) for one in protected.split(",")]
    asked += [
        (f"PROTECT_DATABASE_{one.upper()}", f"{app}-{one}-database", DATABASE_PROTECTION)
        for one in filter(None, databases.split(","))
    ]
    try:
        with ThreadPoolExecutor(len(asked)) as pool:
            found = list(pool.map(lambda one: protect(*one[1:]), asked))
    except Problem as problem:
        print(f"Not prepared: {problem}.", file=sys.stderr)
        return UNREAD
    for (variable, *_), one in zip(asked, found, strict=True):
        print(f"export {variable}={'true' if one else 'false'}")
    return PRINTED


if __name__ == "__main__":
    sys.exit(main())
