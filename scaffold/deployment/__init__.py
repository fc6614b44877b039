"""What combines several AWS services for one generated service: deploy, plan, tear down."""
