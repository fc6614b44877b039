"""The credentials that local AWS gives out. They open nothing but local AWS."""

ACCESS_KEY = "LOCALAWSACCESSKEY000"
SECRET_KEY = "local-aws-secret-key"  # noqa: S105 (a dummy by design)
