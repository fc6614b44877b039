"""Checks what a deployment needs: this machine, the credentials, the account, a service."""
