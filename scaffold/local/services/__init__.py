"""Stand-ins for the AWS APIs that ministack lacks."""
