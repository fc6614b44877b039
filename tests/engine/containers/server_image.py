"""An image with a server that tells what it has been given."""

from __future__ import annotations

from pathlib import Path

from scaffold.engine.containers.archives import local_name, push
from scaffold.engine.containers.container_engine import ContainerEngine
from scaffold.engine.images.registry import Repository
from tests.engine.containers.conftest import base_name
from tests.engine.tasks.test_running import Account

PROGRAM = "server.js"

_HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
_SERVER = """
const http = require('node:http'), fs = require('node:fs'), os = require('node:os');
const attempt = (path) => { try { fs.writeFileSync(path, ''); } catch (error) { return error.code; } };
http.createServer((request, response) => {
  if (request.url === '/health') { response.end('{}'); return; }
  if (request.url === '/aws') {
    http.get(process.env.AWS_ENDPOINT_URL + '/_ministack/health', (answer) => response.end(`${answer.statusCode}`));
    return;
  }
  response.end(JSON.stringify({
    version: process.env.APP_VERSION, secret: process.env.SECRET, lines: process.env.LINES, user: process.getuid(),
    folder: process.cwd(), write: attempt('/tmp/a'),
    scratch: attempt('/scratch/a') || fs.readdirSync('/scratch'), interfaces: Object.keys(os.networkInterfaces()),
    files: fs.readFileSync('/proc/self/limits', 'utf8').match(/open files +(\\d+)/)[1],
  }));
}).listen(8080, () => console.log('listening'));
process.on('SIGTERM', () => { console.log('stopping'); process.exit(0); });
"""


def push_to(account: Account, engine: ContainerEngine, folder: Path) -> str:
    """Push it, and return its name in task definitions. The engine does not keep it."""
    (folder / PROGRAM).write_text(_SERVER)
    entry = f'["node", "{PROGRAM}"]'
    lines = ("WORKDIR /app", f"COPY {PROGRAM} ./", f"COPY --chown=1000 {PROGRAM} /scratch/", "VOLUME /scratch")
    (folder / "Dockerfile").write_text("\n".join((f"FROM {base_name()}", *lines, f"ENTRYPOINT {entry}\n")))
    image = engine.own_name("server")
    engine.run("build", "--network=host", "--tag", image, folder)
    token = account.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    digest = push(engine, image, Repository(account.endpoint, f"{_HOST}/shop", {_HOST: token}), "1")
    engine.run("rmi", local_name(engine, digest), image)
    return f"{_HOST}/shop@{digest}"
