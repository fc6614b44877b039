"""What the last lines of a build say about a registry that it could not reach, and what is to be done then."""

from __future__ import annotations

import pytest

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
    assert remedy(log, local=False) == f"Let builds reach {host}, then build again: `scaffold retry Build`."


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
