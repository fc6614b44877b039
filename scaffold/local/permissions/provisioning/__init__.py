"""The calls with which CloudFormation provisions resources, and the permissions that they need."""
