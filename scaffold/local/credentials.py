"""The credentials of local AWS. They are valid nowhere else."""

ACCESS_KEY = "LOCALAWSACCESSKEY000"
SECRET_KEY = "local-aws-secret-key"  # noqa: S105 (a dummy by design)
