"""IAM policies: whether they allow a call, and what one loses compared with another."""
