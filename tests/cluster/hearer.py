#!/usr/bin/env python3
"""Who alerts are sent to, in the client's network: writes down each message, a line of JSON each.

hearer.py ADDRESS PORT FILE
"""
import http.server
import json
import sys
import time


def main():
    address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]

    class Hearer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with open(path, "a") as f:
                f.write(json.dumps({"heard": time.time(), **json.loads(body)}) + "\n")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer((address, port), Hearer).serve_forever()


if __name__ == "__main__":
    main()
