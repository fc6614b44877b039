"""Runs on a laptop what was deployed to local AWS: pipelines, builds and the tasks of ECS services.

It knows AWS's APIs through an endpoint only, and nothing of local AWS, the kit or the command line.
"""
