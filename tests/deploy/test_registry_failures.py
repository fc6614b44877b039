"""What the last lines of a build say about a registry that it could not reach, and what is to be done then."""

from __future__ import annotations

import json

import pytest

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.registry_failures import find_unreached

# As npm 11, apt 2.6, podman 4.3 and BuildKit 0.23 print it; the hosts are others.
NPM = """\
npm error code SELF_SIGNED_CERT_IN_CHAIN
npm error errno SELF_SIGNED_CERT_IN_CHAIN
npm error request to https://registry.example/yocto-queue failed, reason: self-signed certificate in certificate chain
npm error A complete log of this run can be found in: /tmp/npm-cache/_logs/2026-11-27T19_24_13_382Z-debug-0.log
Source gate closed: `npm ci` cannot install the tools of config/tools, so that nothing was checked; retry the stage.
"""
NPM_NO_HOST = """\
npm error code ENOTFOUND
npm error network request to https://registry.example:8443/x failed, reason: getaddrinfo ENOTFOUND registry.example
npm error network This is a problem related to network connectivity.
ERROR: npm ci: exit code 1.
"""
NPM_TIMEOUT = "npm ERR! code ERR_SOCKET_TIMEOUT\nnpm ERR! network timeout at: https://registry.example/express\n"
IN_PODMAN = f"""\
STEP 4/4: RUN npm ci --omit=dev --ignore-scripts
{NPM_NO_HOST}Error: building at STEP "RUN npm ci --omit=dev --ignore-scripts": while running runtime: exit status 1
"""
IN_DOCKER = "".join(f"#9 1.{number} {line}\n" for number, line in enumerate(NPM.splitlines()))
PODMAN = """\
Pulling images.example/library/node:24 with podman
ERROR: initializing source docker://images.example/library/node:24: pinging container registry images.example: \
Get "https://images.example/v2/": dial tcp: lookup images.example on 192.0.2.53:53: no such host.
Build stopped: cannot resolve the digest of images.example/library/node:24.
"""
DOCKER = """\
ERROR: failed to do request: Head "https://images.example/v2/library/node/manifests/24": \
tls: failed to verify certificate: x509: certificate signed by unknown authority
"""
TOKEN = """\
ERROR: Get "https://images.example/token?scope=repository%3Anode%3Apull": context deadline exceeded.
"""
APT = """\
E: Failed to fetch http://packages.example/debian/dists/trixie/InRelease  Could not resolve 'packages.example'
Build stopped: cannot build the image.
"""
ENGINE = "Without a container engine, a build needs the npm registry only: stop it."


def remedy(log: str, *, local: bool = True) -> str:
    found = find_unreached(log.splitlines())
    assert found
    return found.remedy(local=local, again="scaffold retry Build", without_engine="stop it")


@pytest.mark.parametrize(
    ("log", "cause", "what_to_do"),
    [
        (
            NPM,
            "npm could not reach registry.example (self-signed certificate in certificate chain)",
            "Write what npm needs to reach it into ~/.npmrc, such as `cafile=FILE`, then build again: "
            "`scaffold retry Build`.",
        ),
        (
            NPM_NO_HOST,
            "npm could not reach registry.example:8443 (getaddrinfo ENOTFOUND registry.example)",
            "Write what npm needs to reach it into ~/.npmrc, such as `registry=URL` or `https-proxy=URL`, then build "
            "again: `scaffold retry Build`.",
        ),
        (NPM_TIMEOUT, "npm could not reach registry.example (network timeout)", "~/.npmrc"),
        (IN_PODMAN, "npm could not reach registry.example:8443 (getaddrinfo ENOTFOUND registry.example)", ENGINE),
        (IN_DOCKER, "npm could not reach registry.example (self-signed certificate in certificate chain)", ENGINE),
        (
            PODMAN,
            "the pull of a base image could not reach images.example (dial tcp: lookup images.example on "
            "192.0.2.53:53: no such host)",
            ENGINE,
        ),
        (
            DOCKER,
            "the pull of a base image could not reach images.example (tls: failed to verify certificate: x509: "
            "certificate signed by unknown authority)",
            ENGINE,
        ),
        (TOKEN, "the pull of a base image could not reach images.example (context deadline exceeded)", ENGINE),
        (APT, "apt-get could not reach packages.example (Could not resolve 'packages.example')", ENGINE),
    ],
)
def test_the_cause_names_the_registry_and_the_remedy_works_where_the_build_ran(
    log: str, cause: str, what_to_do: str
) -> None:
    assert str(find_unreached(log.splitlines())) == cause
    assert what_to_do in remedy(log)
    # The settings of this machine mean nothing to a build of an account.
    host = cause.partition("could not reach ")[2].partition(" ")[0]
    assert remedy(log, local=False) == (
        f"Let builds reach {host}: look at the network of the CodeBuild project (VPC, security group, NAT gateway or "
        "proxy), then build again: `scaffold retry Build`."
    )


@pytest.mark.parametrize(
    "log",
    [
        "",
        "Build stopped: the tests failed.",
        # The pull was repeated, and the tests have failed.
        PODMAN + "".join(f"ok {number}\n" for number in range(20)) + "Build stopped: the tests failed.",
        # An application that is tested says the like about what it calls.
        'Get "https://orders.example/api/v1": dial tcp: no such host',
        "npm error code E404\nnpm error 404 Not Found - GET https://registry.example/no-such-package",
    ],
)
def test_another_failure_is_no_matter_of_registries(log: str) -> None:
    assert find_unreached(log.splitlines()) is None


WARNING = "W: Failed to fetch http://packages.example/InRelease  Temporary failure resolving 'packages.example'\n"


@pytest.mark.parametrize("log", [NPM, NPM_NO_HOST, IN_PODMAN, IN_DOCKER, PODMAN, DOCKER, TOKEN, APT])
@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("user", ["user:hunter-two@", "hunter-two@", "user:hunter@two@"])
def test_neither_a_user_nor_a_token_of_an_address_is_shown(
    log: str, local: bool, user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_unreached(log.replace("://", f"://{user}").splitlines())
    assert found == find_unreached(log.splitlines())
    assert found
    remedy = found.remedy(local=local, again="again", without_engine="stop it")
    Console(json=True).render_error(ScaffoldError(str(found), remedy))
    output, errors = capsys.readouterr()
    assert found.host in json.loads(output)["error"]["happened"]
    assert "hunter" not in f"{found!r} {found} {remedy} {output} {errors}"


@pytest.mark.parametrize(
    "log",
    [
        "E: Failed to fetch http://packages.example/pool/x.deb  404  Not Found [IP: 192.0.2.1 80]",
        "E: Failed to fetch https://packages.example/pool/x.deb  504  Gateway Timeout [IP: 192.0.2.1 443]",
        'ERROR: Get "https://images.example/v2/": unauthorized: authentication required',
        'ERROR: Head "https://images.example/v2/library/node/manifests/24": 429 Too Many Requests',
        'ERROR: Head "https://images.example/v2/library/node/manifests/24": no basic auth credentials',
        'ERROR: Head "https://images.example/v2/library/node/manifests/24": denied: no access',
        'ERROR: Get "https://images.example/v2/library/node/manifests/0": manifest unknown',
        "npm error request to https://registry.example/x failed, reason: unsupported protocol",
        # The last answer counts: what had failed before was repeated.
        PODMAN + 'ERROR: Get "https://images.example/v2/": denied: no access',
    ],
)
def test_a_registry_that_has_answered_was_reached(log: str) -> None:
    assert find_unreached(log.splitlines()) is None


@pytest.mark.parametrize(
    "reason",
    [
        "getaddrinfo EAI_AGAIN registry.example",
        "connect ECONNREFUSED 192.0.2.1:443",
        "connect ETIMEDOUT 192.0.2.1:443",
        "read ECONNRESET",
        "connect ENETUNREACH 192.0.2.1:443",
        "unable to get local issuer certificate",
        "Client network socket disconnected before secure TLS connection was established",
    ],
)
def test_every_failure_of_the_network_counts(reason: str) -> None:
    found = find_unreached([f"npm error request to https://registry.example/x failed, reason: {reason}"])
    assert found
    assert found.reason == reason


@pytest.mark.parametrize("log", [WARNING, WARNING + "Build stopped: cannot build the image."])
def test_a_warning_of_apt_is_no_failure(log: str) -> None:
    assert find_unreached(log.splitlines()) is None
    assert find_unreached([*log.splitlines(), "E: Unable to locate package postgresql"])


@pytest.mark.parametrize("overcome", [NPM_NO_HOST, PODMAN, APT, IN_DOCKER])
@pytest.mark.parametrize(
    "later",
    [
        'npm error Missing script: "build"',
        "npm error code ERESOLVE\nnpm error ERESOLVE could not resolve",
        "E: Sub-process /usr/bin/dpkg returned an error code (1)",
        "added 12 packages in 3s\nBuild stopped: cannot build the image.",
        "not ok 3 - greets",
        "FAILED tests/test_app.py::test_greets",
        "======== 1 failed, 3 passed in 0.12s ========",
        "# fail 1",
        "--- FAIL: TestGreets (0.00s)",
        "Build stopped: the tests failed.",
        "Build stopped: the tests cover too little.",
        "Source gate closed: the check secrets failed, as said above; correct it.",
    ],
)
def test_what_fails_later_is_the_cause(overcome: str, later: str) -> None:
    assert find_unreached([*overcome.splitlines(), *later.splitlines(), "Command did not exit successfully"]) is None
