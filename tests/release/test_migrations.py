"""A release of a service with a database, whose migrations meet data that they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.core.git import git
from tests.deploy.services import commit
from tests.engine.databases.items import constant
from tests.kits import generate
from tests.release.kept import Kept, kept

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ANSWERS: dict[str, Any] = {"environments": "live", "scan_gate": "off", "database": "postgres", "approval": "none"}
#: The tests of an application that are quick: a real database, the migrations of the folder, and the items in it.
TESTS = """\
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import pg from 'pg';
import { createItems } from '../src/items.js';
import { createLogger } from '../src/logger.js';
import { applyMigrations, readMigrations } from '../src/migrations.js';
import { OWNER, startPostgres } from './postgres.js';

it('keeps items', async (t) => {
  const postgres = await startPostgres();
  t.after(() => postgres.remove());
  const ca = await readFile(postgres.authority, 'utf8');
  const { username: user, password } = OWNER;
  const { port } = postgres;
  const client = new pg.Client({ host: 'localhost', port, database: 'app', user, password, ssl: { ca } });
  await client.connect();
  const migrations = await readMigrations(new URL('../migrations/', import.meta.url));
  const logger = createLogger({ logLevel: 'silent' });
  await applyMigrations(client, migrations, { user: 'app', lockSeconds: 9, logger });
  const items = createItems({ query: (text, values) => client.query(text, values) });
  const { id } = await items.create({ name: 'bread' });
  assert.equal((await items.get(id)).name, 'bread');
  await client.end();
});
"""
RUN_TESTS = """\
CMD ["node", "--test", "--test-reporter=junit", "--test-reporter-destination=reports/junit.xml", "test/items.test.js"]

"""
EXPAND = "ALTER TABLE items ADD COLUMN note text NOT NULL DEFAULT 'none';\n"
#: What the tests have in their table fits, and what this environment has does not.
OLD = "old"
FAILS = f"""\
-- contract: the release in production has no such names.
ALTER TABLE items ADD CONSTRAINT nothing_old CHECK (name <> '{OLD}');
"""


def small_service(root: Path) -> Path:
    """A committed service whose tests are the shorter ones."""
    generate(root, customize=True, **ANSWERS)
    for tests in (root / "app/test").glob("*.test.js"):
        tests.unlink()
    (root / "app/test/items.test.js").write_text(TESTS)
    (root / "config/scripts/source_gate.py").write_text("")
    dockerfile = root / "app/Dockerfile"
    text = dockerfile.read_text()
    # Without lint, coverage and the packages for them.
    text = text.replace("RUN npm ci --ignore-scripts", "RUN npm ci --omit=dev --ignore-scripts")
    dockerfile.write_text(
        f"{text[: text.index('# Tests and lint')]}{RUN_TESTS}{text[text.index('FROM ${BASE_IMAGE} AS service') :]}"
    )
    git("init", "-q", "-b", "main", cwd=root)
    commit(root)
    return root


def release(service: Kept, code: int, **files: str) -> str:
    """Release files; what is printed."""
    service.commit("next", **files)
    process = service.start("deploy", "--wait")
    output, errors = process.communicate()
    assert process.returncode == code, (output, errors)
    return output + errors


def build_log(service: Kept) -> str:
    """The log of the newest build."""
    builds = service.client("codebuild")
    project = f"{service.app}-build"
    newest = builds.list_builds_for_project(projectName=project)["ids"][0]
    place = builds.batch_get_builds(ids=[newest])["builds"][0]["logs"]
    pages = service.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=place["groupName"], logStreamNames=[place["streamName"]])
    return "\n".join(event["message"] for page in found for event in page["events"])


def test_a_migration_that_fails_stops_the_release_and_requests_go_on(tmp_path: Path) -> None:
    """A release whose migrations succeed is in tests/engine/test_database_releases.py, with each strategy."""
    root = small_service(tmp_path / "orders")
    items = (root / "app/src/items.js").read_text()
    with kept(root, tmp_path, "--speed", "60") as service:
        (live,) = (one["url"] for one in service.result["environments"])
        with constant(live, pause=0.1) as clients:
            first = clients.create(OLD)
            files = {"app__migrations__0002_note_sql": EXPAND, "app__migrations__0003_fails_sql": FAILS}
            output = release(service, 1, **files, app__src__items_js=items.replace("id, name,", "id, name, note,"))
            assert "The release failed in the action Migrate of the stage Live" in output
            assert "Testing the release in production with these migrations" in build_log(service)
            assert clients.read(first["id"]) == first
        assert clients.failures == []
        assert clients.columns.keys() == {"createdAt"}
        assert service.deployments("live") == ["SUCCESSFUL"]
