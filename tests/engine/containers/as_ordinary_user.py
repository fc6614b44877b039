"""Builds an image and runs it as a task, with podman, as the user of this process. Only the standard library is needed.

The arguments are an empty folder and the archive of a base image.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from scaffold.engine.containers import leftovers, podman_setup
from scaffold.engine.tasks.processes import HealthCheck, Process, Program

SERVER = """
const interfaces = Object.keys(require('node:os').networkInterfaces());
const answer = JSON.stringify({ user: process.getuid(), interfaces });
require('node:http').createServer((request, response) => response.end(answer)).listen(8080);
process.on('SIGTERM', () => { console.log('stopping'); process.exit(0); });
"""


def main(folder: Path, base: Path) -> None:
    """Print what the task has answered and reported, and what is left."""
    engine = podman_setup.prepare(folder / "containers", os.environ["PATH"], {})
    said: list[object] = []
    try:
        engine.run("import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", base, "base")
        (folder / "main.js").write_text(SERVER)
        lines = "FROM base", "RUN touch /made && chown 1000 /made", "COPY main.js /", 'ENTRYPOINT ["node", "/main.js"]'
        (folder / "Dockerfile").write_text("\n".join(lines))
        engine.run("build", *engine.build_options(), "--tag", "server", folder)
        options, words = engine.task_options("task", "", [])
        engine.run("create", "--name", "task", *options, "--user=1000", "--read-only", "server", *words)
        created = engine.container("task", 60)
        health = HealthCheck([*created.inside, "node", "-e", ""], 1, 60, 3, 10)
        process = Process(Program(created.start, engine.environment, str(folder), 60, health, created), [1])

        def heard(report: dict[str, object]) -> None:
            said.append({key: value for key, value in report.items() if key != "started"})
            if "health" in report:
                said.append(ask(process))
                process.stop()

        process.listen(heard)
        said.append(process.log.read().decode())
        process.close()
    finally:
        leftovers.remove(folder / "containers")
    mounted = str(folder) in Path("/proc/self/mountinfo").read_text()
    print(json.dumps({"said": said, "left": [path.name for path in folder.iterdir()], "mounted": mounted}))


def ask(process: Process) -> object:
    end = time.monotonic() + 30
    while True:
        try:
            with process.connect(8080) as connection:
                connection.setblocking(True)
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with connection.makefile("rb") as answer:
                    return json.loads(answer.read().partition(b"\r\n\r\n")[2])
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
