"""The calls with which ECS shifts traffic, as a load balancing API on 127.0.0.1 receives them."""

from __future__ import annotations

import queue
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scaffold.engine.clock import Clock
from scaffold.engine.credentials import Credentials
from scaffold.engine.tasks.aws import Aws
from scaffold.engine.tasks.service import ShiftRefused, ShiftTraffic
from scaffold.engine.tasks.traffic import Traffic

ROLE = "arn:aws:iam::000000000000:role/balancing"
DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not by this role</Message></Error></ErrorResponse>"


def test_the_rule_is_changed_with_the_role_of_the_service() -> None:
    signed: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            signed.put(self.headers["Authorization"])
            self.send_response(403)
            self.send_header("Content-Length", str(len(DENIED)))
            self.end_headers()
            self.wfile.write(DENIED.encode())

        def log_message(self, *_: Any) -> None: ...

    rule = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/shop/1/2/3"
    advanced = {"alternateTargetGroupArn": "b", "productionListenerRule": rule, "roleArn": ROLE}
    results: queue.Queue[Any] = queue.Queue()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        aws = Aws(
            f"http://127.0.0.1:{server.server_port}",
            Credentials("ITSOWN", "b"),
            lambda role, _session: Credentials(f"OF{role.rpartition('/')[2].upper()}", "b"),
        )
        settings = {"loadBalancers": [{"targetGroupArn": "a", "advancedConfiguration": advanced}]}
        Traffic(aws, Clock()).shift(settings, ShiftTraffic(10.0), results.put)
        assert results.get(timeout=60) == ShiftRefused(10.0, "not by this role")
        server.shutdown()
    keys = {re.findall(r"Credential=(\w+)/", signed.get(timeout=20))[0] for _ in range(signed.qsize())}
    assert keys == {"OFBALANCING"}
