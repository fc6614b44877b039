"""The requests of the load test; see https://docs.locust.io/en/stable/writing-a-locustfile.html.

config/policies/load-test.toml says how many users there are, for how long, and what the service has to reach.
"""

from locust import HttpUser, between, task


class Visitor(HttpUser):
    """Sends a request, waits, and sends the next one."""

    wait_time = between(0.5, 1.5)

    @task
    def look(self) -> None:
        """Open the start page."""
        self.client.get("/")
