"""Builds images and runs containers with Docker or podman, for one local AWS.

Only the standard library is imported: the commands of builds start it, and so does the clean-up.
"""
