"""ECS services that run: rolling deployments, and tasks as processes of this machine."""
