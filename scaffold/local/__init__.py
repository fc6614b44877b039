"""Local AWS: an AWS account emulated on this machine."""
