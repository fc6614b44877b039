"""A service with a database: its own tests against a real PostgreSQL, its migrations, and what the build asks."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.kits import ROOT, commit_all, generate
from tests.service.conftest import Engine, function_of, machine_environment, npm_ci, run_script
from tests.service.test_build_image import Build
from tests.service.test_complete_release import SETTINGS

#: What else changes the application or what its environments may be.
TOGETHER = {
    "observability": "standard",
    "office_hours": "MON-FRI 07-19 UTC",
    "domain_name": "shop.example.com",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
}
ON = "{% if database == 'postgres' %}"
MIGRATIONS = ROOT / "template" / "app" / f"{ON}migrations{{% endif %}}"


@pytest.fixture(scope="module")
def with_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with a database. Read-only."""
    place = tmp_path_factory.mktemp("generated") / "service"
    return generate(place, customize=True, database="postgres", aws_region="eu-central-1")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with a database and other options. Read-only."""
    place = tmp_path_factory.mktemp("generated") / "service"
    return generate(place, customize=True, database="postgres", aws_region="eu-central-1", **TOGETHER)


@pytest.fixture
def app(with_database: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its application, ready to run, to be tested and linted."""
    copied = shutil.copytree(with_database / "app", tmp_path / "app")
    (copied / "node_modules").symlink_to(npm_ci(with_database, tmp_path_factory, of="npm-ci-database"))
    return copied


@pytest.fixture(scope="module")
def app_lock() -> ModuleType:
    spec = importlib.util.spec_from_file_location("app_lock", ROOT / "tools" / "app_lock.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(app: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=app, env=machine_environment(), capture_output=True, text=True, check=False, timeout=300
    )


def post(url: str, body: dict[str, str]) -> int:
    """The status of a request with a JSON body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_its_own_tests_and_lint_pass(app: Path) -> None:
    done = run(app, "npm", "run", "--silent", "test:report")
    assert done.returncode == 0, done.stdout
    assert not re.search(r"(?m)^\S (skipped|todo) [1-9]", done.stdout)
    covered = re.search(r"All files\s*\|[^|]*\|[^|]*\|[^|]*\|\s*([\d.]+)", done.stdout) or re.search(
        r"All files\s*\|\s*([\d.]+)", done.stdout
    )
    assert covered
    assert float(covered[1]) >= 85
    linted = run(app, "npm", "run", "--silent", "lint")
    assert linted.returncode == 0, linted.stdout


@pytest.mark.slow
def test_its_own_tests_and_lint_pass_with_other_options(
    together: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = shutil.copytree(together / "app", tmp_path / "app")
    (app / "node_modules").symlink_to(npm_ci(together, tmp_path_factory, of="npm-ci-together"))
    done = run(app, "npm", "test", "--silent")
    assert done.returncode == 0, done.stdout
    assert not re.search(r"(?m)^\S (skipped|todo) [1-9]", done.stdout)
    assert run(app, "npm", "run", "--silent", "lint").stdout == ""
    # What this service is for includes its items: their failures are in the metric whose alarm takes releases back.
    more = {"PORT": "0", "DRAIN_SECONDS": "0", "DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": "9"}
    command, surroundings = ["node", "src/main.js"], machine_environment(**more, APP_NAME="orders")
    with subprocess.Popen(command, cwd=app, env=surroundings, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(next(line for line in process.stdout if '"listening"' in line))["port"]
        next(line for line in process.stdout if '"ready"' in line)
        statuses = [post(f"http://127.0.0.1:{port}/items", body) for body in ({"name": "bread"}, {"name": ""})]
        process.send_signal(signal.SIGTERM)
        logged = [json.loads(line) for line in process.stdout]
    assert statuses == [503, 400]
    (operation,) = [line for line in logged if "_aws" in line]
    assert (operation["operation"], operation["Completed"], operation["Failed"]) == ("create-item", 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "right", "wrong", "tests"),
    [
        ("database.js", "(repeatable || !done.sent)", "repeatable", "database"),
        ("database.js", "(repeatable || !done.sent)", "true", "database"),
        ("connection.js", "ssl: { ca }", "ssl: { ca, rejectUnauthorized: false }", "database"),
        ("item-routes.js", "res.status(503)", "res.status(500)", "database"),
        ("database.js", "ended ??= pool.end();", "", "database"),
        ("migrations.js", "await client.query('BEGIN');", "", "migrations"),
        ("migrations.js", "if (rows[0].locked) return;", "return;", "migrations"),
        ("migrations.js", "migration.checksum !== checksum", "false", "migrations"),
    ],
)
def test_its_own_tests_find_faults(app: Path, file: str, right: str, wrong: str, tests: str) -> None:
    source = app / "src" / file
    text = source.read_text()
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong))
    done = run(app, "node", "--test", "--test-timeout=30000", f"test/{tests}.test.js")
    assert done.returncode == 1, done.stdout


@pytest.mark.slow
def test_its_own_tests_fail_with_a_schema_that_it_cannot_use(app: Path) -> None:
    """So the build runs those of the release in production, with the migrations of the next one."""
    migration = app / "migrations/0002_next.sql"
    outcomes = []
    for sql in ("ADD COLUMN note text NOT NULL DEFAULT 'none'", "DROP COLUMN created_at"):
        migration.write_text(f"ALTER TABLE items {sql};\n")
        outcomes.append(run(app, "node", "--test", "--test-timeout=30000", "test/database.test.js").returncode)
    assert outcomes == [0, 1]


def test_without_a_database_nothing_speaks_of_one(generated: Path) -> None:
    # It is the same for all answers.
    shared = generated / "config/scripts/protection.py"
    for path in generated.rglob("*"):
        if path.is_file() and path != shared:
            assert not re.search(rb"postgres|DATABASE_|rds-signer|migrat(e|ion)s?\b.*\.sql", path.read_bytes()), path


@pytest.mark.parametrize("answers", ["with_database", "together"])
def test_the_lock_file_has_what_is_installed_and_no_addresses(request: pytest.FixtureRequest, answers: str) -> None:
    folder = request.getfixturevalue(answers) / "app"
    package = json.loads((folder / "package.json").read_text())
    text = (folder / "package-lock.json").read_text()
    locked = json.loads(text)["packages"]
    assert {"pg", "@aws-sdk/rds-signer"} <= package["dependencies"].keys()
    assert ("@opentelemetry/api" in package["dependencies"]) == (answers == "together")
    for kind in ("dependencies", "devDependencies"):
        assert locked[""][kind] == package[kind]
        assert list(package[kind]) == sorted(package[kind])
    assert '"resolved"' not in text
    for name, one in locked.items():
        assert name == "" or one["integrity"].startswith("sha512-")
        for needed in one.get("dependencies", {}):
            parents = [name, *(name[: found.start()] for found in re.finditer("/?node_modules/", name)), ""]
            assert any(f"{parent}/node_modules/{needed}".lstrip("/") in locked for parent in parents), (name, needed)


def test_the_lock_file_of_an_answer_has_its_packages_under_its_condition(app_lock: ModuleType) -> None:
    def lock(names: str, license_of: str = "MIT") -> str:
        package = '    "node_modules/{}": {{\n      "license": "' + license_of + '"\n    }},\n'
        return '{\n  "packages": {\n' + "".join(package.format(name) for name in names) + '    "z": {}\n  }\n}\n'

    both = ("database", "observability")
    locks = {(): lock("ace"), both[:1]: lock("abcde"), both[1:]: lock("acdef"), both: lock("abcdef")}
    template = app_lock.merged(locks)
    for on, text in locks.items():
        assert app_lock.render(template, on) == text
    assert "{% if database == 'postgres' or observability != 'off' %}\n    \"node_modules/d\"" in template
    with pytest.raises(ValueError, match="differ by more than packages"):
        app_lock.merged(locks | {both[:1]: lock("abcde", "ISC")})


def test_it_trusts_the_authorities_of_its_region_only(with_database: Path) -> None:
    certificates = (with_database / "app/certificates/rds.pem").read_text()
    command = ["openssl", "crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin"]
    packed = subprocess.run(command, input=certificates, capture_output=True, text=True, check=True).stdout
    command = ["openssl", "pkcs7", "-print_certs", "-noout"]
    shown = subprocess.run(command, input=packed, capture_output=True, text=True, check=True).stdout
    subjects = re.findall(r"subject=.*CN ?= ?Amazon RDS (\S+) Root CA (\S+) G1", shown)
    assert subjects == [("eu-central-1", kind) for kind in ("RSA2048", "RSA4096", "ECC384")]


def test_each_region_that_is_accepted_has_its_authorities() -> None:
    rule = (ROOT / "includes/database.jinja").read_text()
    accepted = re.findall(r"'([a-z]+-[a-z-]+-\d)'", rule)
    assert accepted == sorted(path.stem for path in (ROOT / "includes/rds").iterdir())
    for region in accepted:
        assert (ROOT / f"includes/rds/{region}.pem").read_text().count("BEGIN CERTIFICATE") == 3


NARROWING = {
    "DROP TABLE items;": "drops",
    "ALTER TABLE items DROP COLUMN name;": "drops",
    "alter table items\n  drop name;": "drops",
    "ALTER TABLE items DROP IF EXISTS name;": "drops",
    "CREATE TABLE a (); /* /* nested */ still */ DROP VIEW v": "drops",
    "DO $$ BEGIN EXECUTE 'x'; DROP TABLE items; END $$;": "drops",
    "ALTER TABLE items RENAME COLUMN name TO title;": "renames",
    "ALTER TABLE items RENAME TO things;": "renames",
    "ALTER TABLE items ALTER COLUMN name TYPE varchar(9);": "changes the type",
    "ALTER TABLE items ALTER name SET DATA TYPE int;": "changes the type",
    "ALTER TABLE items ALTER COLUMN name SET NOT NULL;": "forbids NULL",
    "ALTER TABLE items ADD COLUMN note text NOT NULL;": "does not fill",
    "ALTER TABLE items ADD a int DEFAULT 1, ADD b int NOT NULL;": "does not fill",
    "ALTER TABLE items ALTER COLUMN created_at DROP DEFAULT;": "drops",
    "ALTER TABLE items DROP index_number;": "drops",
    "ALTER TABLE items SET SCHEMA old;": "moves",
    "ALTER TABLE items ADD CONSTRAINT short CHECK (length(name) < 9);": "adds a constraint",
    "alter/**/table items -- why\n add\n\tcheck (id > 0);": "adds a constraint",
    'ALTER TABLE ONLY "Items" ADD FOREIGN KEY (a) REFERENCES b NOT VALID;': "adds a constraint",
    "ALTER TABLE items ADD a int, ADD UNIQUE (name);": "adds a constraint",
    "ALTER DOMAIN name ADD CONSTRAINT c CHECK (value <> '');": "adds a constraint",
    "ALTER TABLE items ALTER id ADD GENERATED ALWAYS AS IDENTITY;": "adds a constraint",
    "CREATE UNIQUE INDEX ON items (name);": "adds a constraint",
    "create unique /* really */ index if not exists i\non only public . items (lower(name));": "adds a constraint",
    "DO $do$ BEGIN IF true THEN CREATE UNIQUE INDEX i ON items (name); END IF; END $do$;": "adds a constraint",
    "ALTER TABLE items ADD COLUMN number int PRIMARY KEY;": "does not fill",
    "ALTER TABLE items ENABLE ROW LEVEL SECURITY;": "hides",
    "ALTER TABLE items FORCE ROW LEVEL SECURITY;": "hides",
    "WITH gone AS (DELETE FROM items RETURNING id) SELECT count(*) FROM gone;": "deletes",
    "MERGE INTO items i USING old o ON i.id = o.id WHEN MATCHED THEN DELETE;": "deletes",
    "DO $$ BEGIN /* why */ TRUNCATE items; END $$;": "deletes",
    "ALTER TABLE items DETACH PARTITION old;": "detaches",
    "DO $$ BEGIN REVOKE SELECT ON items FROM app; END $$;": "takes a permission away",
    # What the migration creates goes by another name.
    "CREATE TABLE a (b int); CREATE UNIQUE INDEX ON items (name);": "adds a constraint",
    "CREATE TABLE IF NOT EXISTS items (b int); CREATE UNIQUE INDEX ON items (b);": "adds a constraint",
    'CREATE TABLE "Items" (b int); ALTER TABLE "items" ADD UNIQUE (b);': "adds a constraint",
    "CREATE TABLE a.items (b int); ALTER TABLE items ADD UNIQUE (b);": "adds a constraint",
    "CREATE TEMP TABLE items (b int); ALTER TABLE items ADD UNIQUE (b);": "adds a constraint",
    "CREATE TABLE p PARTITION OF items DEFAULT; ALTER TABLE p ADD CHECK (b > 0);": "adds a constraint",
    "CREATE TABLE a (b int); SET search_path = x; ALTER TABLE a ADD UNIQUE (b);": "adds a constraint",
    "CREATE TABLE a (b int); ALTER TABLE items RENAME TO c; SELECT 1;": "renames",
    "CREATE TABLE a (b int); ALTER TABLE a RENAME TO c; ALTER TABLE a ADD UNIQUE (b);": "adds a constraint",
    "SELECT 'CREATE TABLE items (b int)'; ALTER TABLE items ADD UNIQUE (b);": "adds a constraint",
    "-- CREATE TABLE items (b int);\nALTER TABLE items ADD UNIQUE (b);": "adds a constraint",
    "TRUNCATE items;": "deletes",
    "DELETE FROM items;": "deletes",
    "REVOKE SELECT ON items FROM app;": "takes a permission away",
    "-- contract:\nDROP TABLE items;": "drops",
    "-- contract: nothing reads it\nSELECT 1; DROP TABLE items;": "drops",
    "SELECT '-- contract: x'; DROP TABLE items;": "drops",
    "BEGIN; SELECT 1;": "transaction",
    "SELECT 1; COMMIT;": "transaction",
    "CREATE INDEX CONCURRENTLY i ON items (name);": "transaction",
}
WIDENING = [
    "ALTER TABLE items ADD COLUMN note text;",
    "ALTER TABLE items ADD COLUMN note text NOT NULL DEFAULT '';",
    "ALTER TABLE items ADD COLUMN note text DEFAULT '' NOT NULL;",
    "ALTER TABLE items ADD COLUMN id2 bigint NOT NULL GENERATED ALWAYS AS IDENTITY;",
    "ALTER TABLE items ALTER COLUMN name DROP NOT NULL;",
    "ALTER TABLE items DROP CONSTRAINT c;",
    "DROP INDEX i;",
    "CREATE TABLE a (b text NOT NULL);",
    "-- DROP TABLE items;\nSELECT 1;",
    '/* DROP TABLE items; */ SELECT \'DROP TABLE items;\', "DROP" FROM "RENAME";',
    "CREATE FUNCTION f() RETURNS int AS $body$ BEGIN DELETE FROM items; END $body$ LANGUAGE plpgsql;",
    "-- contract: since release 1, nothing reads it\nALTER TABLE items DROP COLUMN note;",
    "GRANT SELECT ON items TO app;",
    "GRANT DELETE, TRUNCATE ON items TO app;",
    "CREATE INDEX ON items (name);",
    'SELECT "ADD UNIQUE" FROM items; SELECT 1 AS "CREATE UNIQUE INDEX";',
    "ALTER TABLE items ADD COLUMN note text CHECK (length(note) < 9);",
    "CREATE TABLE a (b int REFERENCES items ON DELETE CASCADE, UNIQUE (b));",
    "CREATE TABLE a (b int); create unique index i on only a (b); ALTER TABLE ONLY a ADD CHECK (b > 0);",
    'CREATE TABLE public."A" (b int); ALTER TABLE public . "A" ALTER b SET NOT NULL, ADD PRIMARY KEY (b);',
    "CREATE UNLOGGED TABLE a (b int); ALTER TABLE IF EXISTS a ENABLE ROW LEVEL SECURITY;",
    "-- contract: release 1 writes no such name\nCREATE UNIQUE INDEX i ON items (name);",
    "DO $$ BEGIN -- DROP TABLE items\n PERFORM 'DELETE FROM items'; END $$;",
]
SCRIPT = f"{ON}migration_check.py{{% endif %}}"


@pytest.fixture(scope="module")
def problems() -> Any:
    return function_of(SCRIPT, "problems")


@pytest.mark.parametrize("sql", [*NARROWING, *WIDENING])
def test_a_migration_takes_nothing_away_without_saying_why(problems: Any, tmp_path: Path, sql: str) -> None:
    (tmp_path / "0001_it.sql").write_text(sql)
    found = list(problems(tmp_path))
    assert len(found) == (sql in NARROWING), found
    for message, _ in found:
        assert NARROWING[sql] in message


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0003_b.sql"], ["0001_a.txt"], ["0001_A b.sql"]])
def test_migrations_are_numbered_without_gaps(problems: Any, tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    assert len(list(problems(tmp_path))) == 1


# Whether a name is that of a first migration.
NAMES = {
    **dict.fromkeys([b"0001_a.sql", b"0001_9.sql", b"0001_a_b2.sql", b"0001__a_.sql", b"0001__.sql"], True),
    **dict.fromkeys([b"0001_.sql", b"0001.sql", b"0001a.sql", b"001_a.sql", b"00001_a.sql", b"0000_a.sql"], False),
    **dict.fromkeys([b"0002_a.sql", b" 0001_a.sql", b".0001_a.sql", b"-001_a.sql", b"x0001_a.sql"], False),
    **dict.fromkeys([b"0001_a.sql\n", b"0001_a.sql\nx", b"x\n0001_a.sql", b"0001_a\n.sql", b"0001_a.sql\r"], False),
    **dict.fromkeys([b"0001_A.sql", b"0001_a.SQL", b"0001_a.sql.bak", b"0001_axsql", b"0001_a-b.sql"], False),
    **dict.fromkeys([b"0001_a b.sql", b"0001_$(id).sql", b"0001_'a'.sql", b"0001_a;b.sql", b"0001_\x1b[2J.sql"], False),
    **dict.fromkeys([b"0001_\xff.sql", b"\xff0001_a.sql"], False),
    **dict.fromkeys([name.encode() for name in ("\u0660\u0660\u0660\u0661_a.sql", "000\uff11_a.sql")], False),
    **dict.fromkeys([name.encode() for name in ("0001\uff3fa.sql", "0001_\xe9.sql", "0001_\u0131.sql")], False),
}
READS = """
import { readMigrations } from './migrations.mjs';
const reads = (folder) => readMigrations(folder).then((found) => found.length === 1, () => false);
process.stdout.write(JSON.stringify(await Promise.all(process.argv.slice(2).map(reads))));
"""


def test_the_check_and_the_application_know_migrations_by_the_same_names(problems: Any, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(len(NAMES))]
    for folder, name in zip(folders, NAMES, strict=True):
        folder.mkdir()
        (folder / os.fsdecode(name)).write_text("SELECT 1;")
    shutil.copy(ROOT / f"template/app/src/{ON}migrations.js{{% endif %}}", tmp_path / "migrations.mjs")
    (tmp_path / "reads.mjs").write_text(READS)
    read = run(tmp_path, "node", "reads.mjs", *map(str, folders))
    assert read.returncode == 0, read.stderr
    assert dict(zip(NAMES, json.loads(read.stdout), strict=True)) == NAMES
    assert {name: not list(problems(folder)) for folder, name in zip(folders, NAMES, strict=True)} == NAMES


def test_a_migration_in_another_encoding_is_refused_in_a_sentence(problems: Any, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes(b"-- \xe9t\xe9\nSELECT 1;")
    assert list(problems(tmp_path)) == [("app/migrations/0001_a.sql is not encoded in UTF-8.", "Save it in UTF-8.")]


def test_the_first_migration_is_one_that_the_check_accepts(problems: Any) -> None:
    assert list(problems(MIGRATIONS)) == []


class Released:
    """A service whose first commit is in production, and the script that fetches it."""

    def __init__(self, service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self._patch = monkeypatch
        self.objects: dict[str, Any] = {}
        self._run = subprocess.run

    def release(self) -> str:
        """Put what the service has now into production."""
        commit = commit_all(self.service)
        self.objects = {
            "releases/production.json": {"name": "r"},
            "releases/r/release.json": {"name": "r", "commit": commit},
        }
        return commit

    def fetch(self, folder: Path) -> subprocess.CompletedProcess[str]:
        given = {"APP_NAME": "app", "ARTIFACT_BUCKET": "bucket"}
        script = self.service / "config/scripts/previous_release.py"
        return run_script(self._patch, script, self._call, given, [str(folder)])

    def _call(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        if command[0] == "git":
            return self._run(command, **options)
        answer: dict[str, Any]
        match command[2]:
            case "get-repository":
                answer = {"repositoryMetadata": {"cloneUrlHttp": self.service.as_uri()}}
            case "list-objects-v2":
                prefix = command[command.index("--prefix") + 1]
                answer = {"Contents": [{"Key": key} for key in self.objects if key.startswith(prefix)]}
            case "get-object":
                Path(command[3]).write_text(json.dumps(self.objects[command[command.index("--key") + 1]]))
                answer = {}
        return subprocess.CompletedProcess(command, 0, json.dumps(answer), "")


@pytest.fixture
def released(with_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Released:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    return Released(shutil.copytree(with_database, tmp_path / "service"), monkeypatch)


def test_the_release_in_production_is_tested_with_the_new_migrations(released: Released, tmp_path: Path) -> None:
    folder = tmp_path / "previous"
    done = released.fetch(folder)
    assert (done.returncode, done.stdout) == (0, "No release is in production yet.\n")
    assert not folder.exists()

    released.release()
    app = released.service / "app"
    (app / "migrations/0002_add_note.sql").write_text("ALTER TABLE items ADD COLUMN note text;\n")
    (app / "src/items.js").write_text("// the next release\n")
    done = released.fetch(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (folder / "app/migrations").iterdir()} == {
        "0001_create_items.sql",
        "0002_add_note.sql",
    }
    assert (folder / "app/src/items.js").read_text().startswith("// The items in the database")

    (app / "migrations/0001_create_items.sql").write_text("CREATE TABLE items ();\n")
    done = released.fetch(tmp_path / "again")
    assert done.returncode == 1
    assert "app/migrations/0001_create_items.sql is part of the release in production" in done.stderr


def test_a_release_in_production_without_a_database_is_not_tested(released: Released, tmp_path: Path) -> None:
    shutil.move(released.service / "app/migrations", tmp_path / "migrations")
    released.release()
    shutil.move(tmp_path / "migrations", released.service / "app/migrations")
    done = released.fetch(tmp_path / "previous")
    assert (done.returncode, done.stdout) == (0, "The release in production has no database.\n")
    assert not (tmp_path / "previous").exists()


@pytest.mark.slow
def test_the_build_tests_the_release_in_production_after_its_own(
    with_database: Path, engine: Engine, local: dict[str, str], tmp_path: Path
) -> None:
    service = shutil.copytree(with_database, tmp_path / "service")
    build = Build(service, engine, local, "tested-before")
    keys = local["AWS_ACCESS_KEY_ID"], local["AWS_SECRET_ACCESS_KEY"]
    s3, codecommit = (
        boto3.Session(*keys).client(one, "us-east-1", endpoint_url=local["AWS_ENDPOINT_URL"])
        for one in ("s3", "codecommit")
    )
    name, bucket = "tested-before", build.environment["ARTIFACT_BUCKET"]
    url = codecommit.create_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"]
    commit = commit_all(service)
    settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
    command = ["git", *settings, "push", "--quiet", url, "HEAD:refs/heads/main"]
    subprocess.run(command, cwd=service, env={**os.environ, **local}, check=True, capture_output=True)
    for key, document in {
        "releases/production.json": {"name": "r"},
        "releases/r/release.json": {"name": "r", "commit": commit},
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())
    (service / "app/migrations/0002_add_note.sql").write_text("ALTER TABLE items ADD COLUMN note text;\n")

    # What the release in production needs may be gone without a statement that says so.
    build.engine.tell(failing="previous-tests-")
    done = build.run(APP_NAME=name)
    assert done.returncode == 1
    assert "the tests of the release in production fail with these migrations" in done.stderr
    assert len(build.engine.calls("run")) == 2
    assert build.engine.calls("--push") == []
    build.engine.tell()
    build.engine.forget()

    done = build.run(APP_NAME=name)
    assert done.returncode == 0, done.stderr
    ours, previous = build.engine.calls("build", "test", "--load")
    assert ours[-1] == "app"
    assert previous[-1].endswith("/previous/app")
    assert len(build.engine.calls("run")) == 2

    (service / "app/migrations/0002_add_note.sql").write_text("DROP TABLE items;\n")
    build.engine.forget()
    done = build.run(APP_NAME=name)
    assert done.returncode == 1
    assert "app/migrations/0002_add_note.sql drops something" in done.stderr
    assert build.engine.calls() == []


@pytest.mark.parametrize(
    ("script", "arguments", "code", "said"),
    [
        ("restore_database", (), 2, "Usage: restore_database.py ENVIRONMENT"),
        ("restore_database", ("prod", "yesterday"), 2, "such as 2026-11-27T06:00:00Z"),
        ("restore_database", ("qa",), 1, "qa is no environment with a database here"),
        ("restore_database", ("../prod",), 1, "no environment with a database here"),
        ("use_database", ("prod",), 2, "Usage: use_database.py ENVIRONMENT database|restored [--only]"),
        ("use_database", ("prod", "restored", "--all"), 2, "Usage: "),
        ("use_database", ("qa", "restored"), 1, "qa is no environment with a database here"),
        ("use_database", ("prod", "restored", "--only"), 1, "release what this writes without --only before"),
    ],
)
def test_a_restore_needs_an_environment_and_a_time(
    with_database: Path, script: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """It is played on local AWS in tests/release/test_restore.py."""
    done = run(with_database, sys.executable, f"config/scripts/{script}.py", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
