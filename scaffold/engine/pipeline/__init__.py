"""What CodePipeline does: a pure model of pipelines and their executions, and the runner that drives it."""
