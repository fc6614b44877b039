"""The AWS APIs that ministack lacks, and a monkeypatch of its IAM."""
