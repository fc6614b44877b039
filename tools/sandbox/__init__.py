"""Proves or refutes each assumption of docs/unproven.md in a sandbox account: `python tools/sandbox`."""
