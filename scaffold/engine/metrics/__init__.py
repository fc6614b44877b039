"""Metrics as CloudWatch keeps them, metric math, and alarms."""
