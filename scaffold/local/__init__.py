"""The embedded stand-in for an AWS account, and what it takes to run it."""
