"""Parameter Store."""

from __future__ import annotations

from scaffold.aws.session import Session


def put_secret(session: Session, name: str, value: str) -> None:
    """Store an encrypted parameter, in place of one that exists."""
    session.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
