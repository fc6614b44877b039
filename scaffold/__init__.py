"""gitops-scaffold: start a service on AWS and keep it up to standard."""

__version__ = "0.1.0"
