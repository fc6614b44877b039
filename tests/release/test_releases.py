"""`scaffold releases`: what an environment has run, and what answers now."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.deployment.approval import Rejection
from scaffold.deployment.follow import ReleaseFailed
from scaffold.views.past_releases import text
from tests.deploy.services import commit
from tests.release.services import ENVIRONMENT, decide, list_releases, release


class Answer(BaseHTTPRequestHandler):
    """A service that answers the version v1."""

    def do_GET(self) -> None:
        body = b'{"version": "v1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_past_releases_of_an_environment(service: Path, url: str) -> None:
    with pytest.raises(ScaffoldError, match="has no pipeline in local AWS"):
        list_releases(service, "dev")
    first = commit(
        service, infrastructure__environment_yaml=ENVIRONMENT + f"Outputs:\n  ServiceUrl: {{Value: '{url}'}}\n"
    )
    git("tag", "1.0", cwd=service)
    waiting = release(service).release
    assert waiting
    [only] = list_releases(service, "prod").releases
    assert (only.waits, only.outcome, only.execution) == (True, "InProgress", waiting.execution)
    decide(service, yes=True, execution=waiting.execution)
    assert release(service).exit_code == 0

    second = commit(service, version_txt="v2\n")
    waiting = release(service).release
    assert waiting
    decide(service, Rejection, yes=True, execution=waiting.execution, message="Too slow")
    with pytest.raises(ReleaseFailed):
        release(service)

    found = list_releases(service, "prod")
    rejected, running = found.releases
    assert (rejected.version, rejected.commit, rejected.outcome) == ("v2", second, "Failed")
    assert (rejected.tags, rejected.answers, rejected.reason) == ((), False, "Approval: Too slow")
    assert (running.version, running.commit, running.outcome, running.tags) == ("v1", first, "Succeeded", ("1.0",))
    assert found.answers == "v1"
    assert running.answers
    assert running.approved_by
    assert running.approved_by.startswith("arn:aws:iam::")
    assert running.started
    assert running.ended
    assert running.ended >= running.started
    json.dumps(found.document(), default=str)
    shown = text(found)
    assert f"v1 answers at {url}" in shown
    assert "v1  succeeded, answers now" in shown
    assert f"commit     {first[:7]} (1.0)" in shown
    assert "v2  failed, Approval: Too slow" in shown

    assert [one.version for one in list_releases(service, "dev", limit=1).releases] == ["v2"]
    assert {one.outcome for one in list_releases(service, "dev").releases} == {"Succeeded"}
    with pytest.raises(UsageError, match="has no environment 'test'"):
        list_releases(service, "test")
