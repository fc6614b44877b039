"""Application Load Balancers that answer on 127.0.0.1."""
