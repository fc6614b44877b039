"""Builds images and runs containers with podman, whose storage and settings belong to one local AWS.

Only the standard library is imported: the commands of builds start it, and so does the clean-up.
"""
