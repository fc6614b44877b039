"""Local AWS of the tests is a fork, and like one that was started."""

from __future__ import annotations

import os
import signal

import boto3

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws


def test_a_fork_has_its_own_port_and_region() -> None:
    session = boto3.Session(ACCESS_KEY, SECRET_KEY)
    with running_local_aws("eu-west-1") as one, running_local_aws("eu-west-2") as other:
        for aws in (one, other):
            address = aws.variables["AWS_ENDPOINT_URL"]
            queue = session.client("sqs", aws.region, endpoint_url=address).create_queue(QueueName="orders")["QueueUrl"]
            assert queue.startswith(f"{address}/")
            bucket = session.client("s3", aws.region, endpoint_url=address).create_bucket(
                Bucket="orders", CreateBucketConfiguration={"LocationConstraint": aws.region}
            )
            assert bucket["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_fork_ends_with_the_exit_status_of_a_process() -> None:
    with running_local_aws() as ended, running_local_aws() as killed:
        os.kill(killed.process.pid, signal.SIGKILL)
        assert killed.process.wait(60) == -signal.SIGKILL
    assert ended.process.returncode == 0
