"""What clients of local AWS need: environment variables, and the files that they name."""

from __future__ import annotations

import importlib.util
import os
import shlex
import ssl
import sys
from contextlib import suppress
from pathlib import Path

from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.core.target import LOCAL_VARIABLE, RUNS_VARIABLE
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY

_BUNDLE, _CONFIG, _CREDENTIALS = "authorities.pem", "aws-config", "aws-credentials"


def write_files(state: Path, region: str, authority: str) -> None:
    """Write the files that the variables name.

    Args:
        state: The state directory.
        authority: The certificate of the authority that local AWS has made.
    """
    (state / _BUNDLE).write_text(_trusted_authorities() + authority)
    (state / _CONFIG).write_text(f"[default]\nregion = {region}\n")
    (state / _CREDENTIALS).write_text(
        f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    _write_git_helper(state / "bin" / "git-remote-codecommit")


def variables_for(state: Path, region: str, api: str, git: str, *, runs: bool) -> dict[str, str]:
    """Environment variables with which the children of this process reach a local AWS.

    Args:
        state: Its state directory.
        api: The host and port of the endpoint of all services.
        git: The host and port of the Git endpoint.
    """
    endpoint = f"http://{api}"
    exempt = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    no_proxy = ",".join(dict.fromkeys(filter(None, [*exempt, "127.0.0.1", "localhost"])))
    return {
        **{name: endpoint for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")},
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": "",
        "AWS_SECURITY_TOKEN": "",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        # Both files have a `default` profile for local AWS, and no profile of the machine.
        "AWS_PROFILE": "default",
        "AWS_DEFAULT_PROFILE": "default",
        "AWS_CONFIG_FILE": str(state / _CONFIG),
        "AWS_SHARED_CREDENTIALS_FILE": str(state / _CREDENTIALS),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_USE_FIPS_ENDPOINT": "false",
        "AWS_USE_DUALSTACK_ENDPOINT": "false",
        "CODE_COMMIT_ENDPOINT": git,
        "GIT_SSL_CAINFO": str(state / _BUNDLE),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "PATH": os.pathsep.join(filter(None, [str(state / "bin"), os.environ.get("PATH", os.defpath)])),
        LOCAL_VARIABLE: "1",
        RUNS_VARIABLE: "1" if runs else "0",
    }


def _trusted_authorities() -> str:
    """The certificates that Git trusts on this machine, so that other remotes keep working inside local AWS."""
    configured = os.environ.get("GIT_SSL_CAINFO")
    if not configured:
        with suppress(GitFailed):
            configured = git("config", "--type=path", "--get", "http.sslCAInfo", cwd=Path.cwd())
    candidates = [configured, ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES]
    if importlib.util.find_spec("certifi"):
        import certifi

        candidates.append(certifi.where())
    for candidate in filter(None, candidates):
        with suppress(OSError):
            return Path(candidate).read_text(errors="replace").rstrip() + "\n"
    return ""


_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def _write_git_helper(path: Path) -> None:
    """Put git-remote-codecommit on the PATH: a virtual environment's scripts need not be there."""
    program = "import sys; from git_remote_codecommit import main; sys.exit(main())"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -c {shlex.quote(program)} "$@"\n')
    path.chmod(0o755)
