"""IAM where local AWS runs what is deployed: calls of builds, tasks and pipelines need permissions of their roles."""
