"""CloudFormation in local AWS: the resource types and rules that ministack lacks."""
