"""Load balancers with real targets and real clients on 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scaffold.engine.balancer import proxy
from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.balancer.configuration import Configuration, read
from scaffold.engine.clock import Clock

GROUP = {
    "Port": 80,
    "HealthCheckPath": "/health",
    "HealthCheckPort": "traffic-port",
    "HealthCheckIntervalSeconds": 0.2,
    "HealthCheckTimeoutSeconds": 1,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
    "Matcher": {"HttpCode": "200"},
}
Rules = list[tuple[str, list[dict[str, Any]], dict[str, Any]]]


class Target:
    """A server that answers with its name."""

    def __init__(self, name: str) -> None:
        self.healthy = True
        self.released = threading.Event()
        self.connections = 0
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/health":
                    return self._answer(200 if target.healthy else 500, b"")
                if self.path == "/wait":
                    target.released.wait(10)
                if self.path == "/broken":
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if self.path == "/chunks":
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for part in (b"one", b"two"):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    self.wfile.write(b"0\r\n\r\n")
                    return None
                if self.path == "/headers":
                    return self._answer(200, json.dumps(dict(self.headers.items())).encode())
                return self._answer(200, name.encode())

            def do_HEAD(self) -> None:
                self._answer(200, name.encode())

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self._answer(201, self.rfile.read(length)[::-1])

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class World:
    """A load balancer with target groups."""

    def __init__(self) -> None:
        self.balancers = Balancers(Clock())
        self.port = self.balancers.reserve("lb")
        self.targets: list[Target] = []

    def target(self, name: str) -> Target:
        self.targets.append(Target(name))
        return self.targets[-1]

    def configure(self, rules: Rules, delay: float = 5, **groups: list[Target]) -> None:
        listener = {"ListenerArn": "l", "LoadBalancerArn": "lb", "Port": 80, "Protocol": "HTTP"}
        described = [
            {"ListenerArn": "l", "Priority": priority, "Conditions": conditions, "Actions": [action]}
            for priority, conditions, action in rules
        ]
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}]
        found = [
            ({**GROUP, "TargetGroupArn": name}, attributes, [{"Id": "127.0.0.1", "Port": t.port} for t in targets])
            for name, targets in groups.items()
        ]
        self.balancers.configure("r", read([{"LoadBalancerArn": "lb"}], [listener], described, found))

    def states(self, group: str) -> list[str]:
        return [health.state for _, health in sorted(self.balancers.health(group).items())]

    def wait_for(self, group: str, *states: str) -> None:
        end = time.monotonic() + 60
        while self.states(group) != list(states):
            assert time.monotonic() < end, self.states(group)
            time.sleep(0.02)

    def ask(self, path: str = "/", method: str = "GET", **more: Any) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, **more)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.balancers.stop()
    for target in made.targets:
        target.close()


def to(*groups: tuple[str, int]) -> dict[str, Any]:
    found = [{"TargetGroupArn": name, "Weight": weight} for name, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": found}}


DEFAULT: Rules = [("default", [], to(("g", 1)))]


def test_requests_reach_healthy_targets_in_turn(world: World) -> None:
    one, two = world.target("one"), world.target("two")
    world.configure(DEFAULT, g=[one, two])
    world.wait_for("g", "healthy", "healthy")
    assert Counter(world.ask()[1] for _ in range(10)) == {b"one": 5, b"two": 5}
    one.healthy = False
    order = ["unhealthy", "healthy"] if one.port < two.port else ["healthy", "unhealthy"]
    world.wait_for("g", *order)
    assert {world.ask()[1] for _ in range(6)} == {b"two"}
    two.healthy = False
    world.wait_for("g", "unhealthy", "unhealthy")
    assert {world.ask()[1] for _ in range(6)} == {b"one", b"two"}  # All are unhealthy: all get requests.


def test_weights_move_traffic_between_groups(world: World) -> None:
    old, new = world.target("old"), world.target("new")
    for weights, expected in (((100, 0), {b"old"}), ((0, 100), {b"new"}), ((50, 50), {b"old", b"new"})):
        world.configure([("default", [], to(("a", weights[0]), ("b", weights[1])))], a=[old], b=[new])
        world.wait_for("a", "healthy")
        world.wait_for("b", "healthy")
        assert {world.ask()[1] for _ in range(40)} == expected


def test_actions_without_a_target(world: World) -> None:
    fixed = {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "410", "MessageBody": "gone", "ContentType": "text/plain"},
    }
    redirect = {"Type": "redirect", "RedirectConfig": {"Path": "/new", "StatusCode": "HTTP_302"}}
    sign_in = {"Type": "authenticate-oidc"}
    world.configure(
        [
            ("1", [{"Field": "path-pattern", "Values": ["/old"]}], redirect),
            ("2", [{"Field": "path-pattern", "Values": ["/in"]}], sign_in),
            ("default", [], fixed),
        ]
    )
    assert world.ask() == (410, b"gone")
    assert world.ask("/old")[0] == 302
    assert world.ask("/in") == (501, b"not rehearsed: the action authenticate-oidc of a listener\n")


def test_errors_are_those_of_a_load_balancer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(DEFAULT, g=[])
    status, page = world.ask()
    assert (status, b"<h1>503 Service Temporarily Unavailable</h1>" in page) == (503, True)
    target = world.target("one")
    world.configure(DEFAULT, g=[target])
    world.wait_for("g", "healthy")
    assert world.ask("/broken")[0] == 502
    monkeypatch.setattr(proxy, "_IDLE_SECONDS", 0.3)
    assert world.ask("/wait")[0] == 504
    target.released.set()
    target.close()
    world.targets.clear()
    assert world.ask()[0] == 502


def test_a_malformed_request_is_refused(world: World) -> None:
    world.configure(DEFAULT, g=[])
    with socket.create_connection(("127.0.0.1", world.port), 5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


def test_websockets_are_not_rehearsed(world: World) -> None:
    world.configure(DEFAULT, g=[world.target("one")])
    status, text = world.ask(headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (status, text) == (501, b"not rehearsed: WebSocket connections\n")


def test_headers_say_where_a_request_comes_from(world: World) -> None:
    world.configure(DEFAULT, g=[world.target("one")])
    world.wait_for("g", "healthy")
    given = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Keep-Alive": "x", "Host": "shop.example"}
    headers = {name.lower(): value for name, value in json.loads(world.ask("/headers", headers=given)[1]).items()}
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", "80")
    assert headers["host"] == "shop.example"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "keep-alive" not in headers


def test_a_connection_carries_many_requests_of_all_kinds(world: World) -> None:
    world.configure(DEFAULT, g=[world.target("one")])
    world.wait_for("g", "healthy")
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=10)

    def ask(method: str, path: str, **more: Any) -> tuple[int, bytes]:
        connection.request(method, path, **more)
        answer = connection.getresponse()
        return answer.status, answer.read()

    connection.connect()
    same = connection.sock
    assert ask("GET", "/") == (200, b"one")
    assert ask("HEAD", "/") == (200, b"")
    assert ask("POST", "/", body=b"abc") == (201, b"cba")
    assert ask("POST", "/", body=iter([b"ab", b"cd"])) == (201, b"dcba")
    assert ask("GET", "/chunks") == (200, b"onetwo")
    assert connection.sock is same
    connection.close()


def test_a_deregistered_target_finishes_its_requests(world: World) -> None:
    target = world.target("one")
    world.configure(DEFAULT, g=[target])
    world.wait_for("g", "healthy")
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(world.ask("/wait")))
    client.start()
    wait(lambda: world.balancers.run(requests(world)) == 1)
    world.configure(DEFAULT, g=[])
    assert world.states("g") == ["draining"]
    assert world.ask()[0] == 503  # No new request reaches it.
    target.released.set()
    client.join()
    assert answers == [(200, b"one")]
    world.wait_for("g")


def test_the_deregistration_delay_ends(world: World) -> None:
    target = world.target("one")
    world.configure(DEFAULT, delay=0.3, g=[target])
    world.wait_for("g", "healthy")
    client = threading.Thread(target=world.ask, args=("/wait",))
    client.start()
    wait(lambda: world.balancers.run(requests(world)) == 1)
    world.configure(DEFAULT, delay=0.3, g=[])
    assert world.states("g") == ["draining"]
    world.wait_for("g")
    target.released.set()
    client.join()


async def requests(world: World) -> int:
    return sum(target.requests for group in world.balancers._groups.values() for target in group.targets.values())


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_group_without_a_listener_is_unused(world: World) -> None:
    world.configure(DEFAULT, g=[], other=[world.target("one")])
    world.wait_for("other", "unused")


def test_addresses_are_kept_and_closed(world: World) -> None:
    port = world.port
    world.configure(DEFAULT, g=[])
    assert world.balancers.reserve("lb") == port
    second = {"ListenerArn": "l2", "LoadBalancerArn": "lb", "Port": 8080, "Protocol": "HTTP"}
    first = {**second, "ListenerArn": "l1", "Port": 80}
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "second"}}
    rules = [{"ListenerArn": "l2", "Priority": "default", "Conditions": [], "Actions": [fixed]}]
    world.balancers.configure("r", read([{"LoadBalancerArn": "lb"}], [second, first], rules, []))
    other = world.balancers._ports["l2"][0]
    assert other != port
    world.port = other
    assert world.ask() == (200, b"second")
    world.balancers.configure("r", Configuration())
    for closed in (port, other):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", closed), 5)
