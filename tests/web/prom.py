"""A real Prometheus over three `hamond web`, for tests: one job, the nodes n1 (master), n2, n3."""

import copy
import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

import world

JOB = "hamon"

# What parts of hamond web tell that need more than the daemon's double (a mail server, targets of
# alerts). The names are held against METRICS[] by the test.
PARTS = """hamon_canary_ok{reason="ok"} 1
hamon_canary_delivery_seconds 0.8
hamon_canary_delivery_p50_seconds 0.7
hamon_canary_delivery_p95_seconds 1.9
hamon_canary_login_seconds 0.1
hamon_canary_login_p50_seconds 0.1
hamon_canary_login_p95_seconds 0.3
hamon_certificate_ok{service="imaps",address="127.0.0.1:993"} 1
hamon_certificate_remaining_seconds{service="imaps",address="127.0.0.1:993"} 5184000
hamon_alerts_queued 0
hamon_alerts_sent_total 3
hamon_alerts_failed_total 0
hamon_alert_target_ok{target="phone",format="ntfy"} 1
hamon_rehearsal_ok 1
hamon_rehearsal_age_seconds 3600
"""


def standby(name):
    s = copy.deepcopy(world.HEALTHY)
    s.update(node=name, role="standby", state="standby", why="the lease is held by n1")
    s["lease"]["valid_ms"] = 0
    s["volume"]["mounted"] = False
    for a in s["ip"]["addresses"]:
        a["here"] = False
    for n in s["nodes"]:
        n["self"] = n["name"] == name
    return s


class Parts(http.server.BaseHTTPRequestHandler):
    text = PARTS

    def do_GET(self):
        body = Parts.text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Prometheus:
    def __init__(self, rules):
        self.nodes = {n: world.World(status=s, conf={"check": ""}) for n, s in
                      (("n1", None), ("n2", standby("n2")), ("n3", standby("n3")))}
        self.rules = rules
        self.opened = []
        self.process = self.parts = None

    def __enter__(self):
        try:
            for node in self.nodes.values():
                self.opened.append(node.__enter__())
            Parts.text = PARTS
            self.parts = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Parts)
            threading.Thread(target=self.parts.serve_forever, daemon=True).start()
            self.start()
            self.query_until('count(up == 1) == 4')
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def start(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="prom.", dir=self.opened[0].dir))
        self.port = world.free_port()
        targets = [{"targets": [f"127.0.0.1:{w.port}"], "labels": {"instance": n}} for n, w in self.nodes.items()]
        targets.append({"targets": [f"127.0.0.1:{self.parts.server_port}"],
                        "labels": {"instance": "n1", "source": "double"}})
        conf = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(self.rules)],
                "scrape_configs": [{"job_name": JOB, "static_configs": targets}]}
        (self.dir / "prometheus.yml").write_text(json.dumps(conf), encoding="utf-8")
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)

    def __exit__(self, kind, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
            if kind:
                print((self.dir / "log").read_text(errors="replace")[-3000:])
        if self.parts:
            self.parts.shutdown()
            self.parts.server_close()
        for node in self.opened:
            node.__exit__(kind)

    def api(self, path, **words):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(url, timeout=world.PATIENCE) as r:
                return json.load(r)["data"]
        except urllib.error.HTTPError as e:
            if e.code == 503:
                raise ConnectionError("it is starting") from e
            raise AssertionError(f"{words}: {e.read().decode()}") from e

    def query(self, expr):
        return self.api("query", query=expr)["result"]

    def query_until(self, expr, there=True):
        return world.until(lambda: bool(self.query(expr)) == there, f"{'data' if there else 'no data'}: {expr}")
