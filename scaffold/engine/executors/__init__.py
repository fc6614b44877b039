"""Executes the actions of pipelines: sources, stacks, builds, approvals, and the rules of stage conditions."""
