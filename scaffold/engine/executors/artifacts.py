"""The artifacts of a pipeline: ZIP archives in S3."""

from __future__ import annotations

import io
import zipfile

from botocore.exceptions import ClientError

from scaffold.engine.executors.clients import Clients, message_of
from scaffold.engine.pipeline.jobs import Assignment, Location


class ArtifactProblem(Exception):
    """An artifact cannot be read, or a file is missing in it. The text is for people."""


class Artifacts:
    """Reads and stores artifacts.

    Args:
        clients: The AWS clients.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def store(self, assignment: Assignment, name: str, content: bytes) -> None:
        """Store an output artifact.

        Raises:
            ArtifactProblem: It cannot be stored.
        """
        location, encryption = assignment.outputs[name], {}
        if assignment.encryption_key:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": assignment.encryption_key}
        try:
            s3 = self._clients("s3", assignment.region)
            s3.put_object(Bucket=location.bucket, Key=location.key, Body=content, **encryption)
        except ClientError as error:
            raise ArtifactProblem(f"The artifact {name} cannot be stored: {message_of(error)}") from error

    def file(self, assignment: Assignment, reference: str) -> bytes:
        """Read a file of an input artifact.

        Args:
            assignment: The action.
            reference: `Artifact::path`.

        Raises:
            ArtifactProblem: The artifact or the file does not exist.
        """
        name, _, path = reference.partition("::")
        if name not in assignment.inputs or not path:
            raise ArtifactProblem(f"{reference} is not a file of an input artifact of this action")
        try:
            with zipfile.ZipFile(io.BytesIO(self._content(assignment, assignment.inputs[name]))) as archive:
                return archive.read(path)
        except KeyError:
            raise ArtifactProblem(f"File [{path}] does not exist in artifact [{name}]") from None
        except zipfile.BadZipFile as error:
            raise ArtifactProblem(f"The artifact {name} is not a ZIP archive") from error

    def _content(self, assignment: Assignment, location: Location) -> bytes:
        try:
            s3 = self._clients("s3", assignment.region)
            content: bytes = s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read()
        except ClientError as error:
            raise ArtifactProblem(f"The artifact cannot be read: {message_of(error)}") from error
        return content
