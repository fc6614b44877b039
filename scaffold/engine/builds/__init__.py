"""Runs the builds of CodeBuild: the buildspec's commands in a shell of this machine, in a folder of their own."""
