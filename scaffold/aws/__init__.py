"""One module for each AWS service that scaffold calls, and the connection that they share."""
