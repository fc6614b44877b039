"""What combines several AWS services for one service of ours: deploy, plan, tear down."""
