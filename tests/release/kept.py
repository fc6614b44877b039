"""A rehearsal that keeps its local AWS, and further releases to it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from scaffold.service import names
from tests.cli.running import COMMAND, ROOT
from tests.deploy.services import commit

_EXPORT = re.compile(r"export (\w+)=(.*)")
_PAUSE_SECONDS = 0.1
_READY = "Press Ctrl-C to end it"
_CLONE = re.compile(r"the clone is (.+)\.$")


@dataclass(frozen=True)
class Kept:
    """A service that was rehearsed, in a local AWS that is still running.

    Attributes:
        clone: Releases are pushed from here.
        variables: With which local AWS is reached.
        result: The document of the rehearsal.
    """

    clone: Path
    variables: dict[str, str]
    result: dict[str, Any]

    @property
    def app(self) -> str:
        """The name of the service."""
        return str(self.result["service"])

    def client(self, service: str) -> Any:
        """A client of local AWS."""
        session = boto3.Session(self.variables["AWS_ACCESS_KEY_ID"], self.variables["AWS_SECRET_ACCESS_KEY"])
        return session.client(
            service, region_name=self.variables["AWS_REGION"], endpoint_url=self.variables["AWS_ENDPOINT_URL"]
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command in the clone that is still running."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.clone,
            env={**os.environ, **self.variables, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def scaffold(self, *arguments: str, code: int = 0) -> str:
        """What a command in the clone prints, which has to end with this exit code."""
        process = self.start(*arguments)
        output, errors = process.communicate()
        assert process.returncode == code, (process.returncode, output, errors)
        return output

    def status(self, environment: str) -> dict[str, Any]:
        """What `scaffold status` says of an environment."""
        found = json.loads(self.scaffold("status", "--json"))["environments"]
        chosen: dict[str, Any] = next(one for one in found if one["name"] == environment)
        return chosen

    def commit(self, message: str, **files: str) -> str:
        """Commit files, named as for `tests.deploy.services.commit`."""
        return commit(self.clone, message, **files)

    def release(self, code: int = 0, during: Callable[[], None] = lambda: None) -> str:
        """Push the commit and follow it to production, which is approved.

        Args:
            code: The exit code at the end.
            during: Called again and again from the approval until the end.

        Returns:
            What is printed after the approval.
        """
        waiting = json.loads(self.scaffold("deploy", "--wait", "--json", code=11))["release"]
        self.scaffold("approve", "--yes", "--execution", waiting["execution"])
        process = self.start("deploy", "--wait")
        while process.poll() is None:
            during()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PAUSE_SECONDS)
        output, errors = process.communicate()
        assert process.returncode == code, (process.returncode, output, errors)
        during()
        return output + errors

    def deployments(self, environment: str) -> list[str]:
        """The statuses of an environment's ECS deployments, the newest first."""
        cluster = names.cluster(self.app, environment)
        listed = self.client("ecs").list_service_deployments(cluster=cluster, service=cluster)
        return [one["status"] for one in listed["serviceDeployments"]]

    def story(self, environment: str) -> str:
        """What ECS and the alarms say of an environment, the newest last: why a release has ended as it did."""
        cluster, ecs = names.cluster(self.app, environment), self.client("ecs")
        (service,) = ecs.describe_services(cluster=cluster, services=[cluster])["services"]
        stopped = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=stopped)["tasks"] if stopped else []
        history = self.client("cloudwatch").describe_alarm_history(MaxRecords=100)["AlarmHistoryItems"]
        lines = [f"{one['createdAt']} {one['message']}" for one in service["events"]]
        lines += [
            f"{one.get('stoppedAt')} a task of {one['startedBy']}: {one.get('stopCode')} {one.get('stoppedReason')}"
            for one in tasks
        ]
        lines += [
            f"{one['Timestamp']} {one['AlarmName']}: {one['HistorySummary']}"
            for one in history
            if one["AlarmName"].startswith(cluster)
        ]
        return "\n".join(sorted(lines))

    def weights(self, environment: str) -> tuple[int, ...]:
        """The weights of the target groups of an environment in the production listener rule."""
        cluster = names.cluster(self.app, environment)
        (service,) = self.client("ecs").describe_services(cluster=cluster, services=[cluster])["services"]
        rule = service["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]
        (action,) = self.client("elbv2").describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
        return tuple(one["Weight"] for one in action["ForwardConfig"]["TargetGroups"])

    def subscribe(self) -> Callable[[], list[str]]:
        """Subscribe to the notifications; a function that returns those since its last call."""
        sqs, queue = self.client("sqs"), "people"
        url = sqs.create_queue(QueueName=queue)["QueueUrl"]
        (topic,) = self.client("sns").list_topics()["Topics"]
        self.client("sns").subscribe(
            TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{queue}"
        )

        def received() -> list[str]:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return [json.loads(message["Body"])["Message"] for message in found]

        return received


@contextmanager
def kept(root: Path, folder: Path, *options: str) -> Iterator[Kept]:
    """Rehearse the commit of a service to production, and keep local AWS in the block.

    Args:
        folder: For the clone and the output.
    """
    output, temporary = folder / "rehearsal.json", folder / "tmp"
    temporary.mkdir()
    with output.open("w") as stdout:
        process = subprocess.Popen(
            [*COMMAND, "rehearse", "--yes", "--keep", "--json", *options],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stderr
    try:
        lines = []
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if _READY in line:
                break
        text = "\n".join(lines)
        assert _READY in text, text
        result = json.loads(output.read_text())
        assert result["outcome"] == "succeeded", text
        variables = {name: shlex.split(value)[0] for name, value in _EXPORT.findall(text)}
        variables["PATH"] = variables["PATH"].replace("$PATH", os.environ["PATH"])
        (clone,) = [Path(found[1]) for line in lines if (found := _CLONE.search(line))]
        yield Kept(clone, variables, result)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()
