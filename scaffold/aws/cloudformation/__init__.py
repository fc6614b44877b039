"""CloudFormation: templates, stacks, change sets, and the events that an operation leaves."""
