"""CodeCommit's pull requests: their API, and what pushes do to them."""
