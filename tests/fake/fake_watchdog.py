#!/usr/bin/env python3
"""A watchdog device as a fifo: fake_watchdog.py FIFO TIMEOUT COMMAND [ARG...]

From the first byte on, TIMEOUT seconds without another one run COMMAND, once. A writer that closes
right after a 'V' has disarmed it, until the next byte; one that just goes away has not."""
import os
import subprocess
import sys
import time

STEP = 0.01


def main():
    fifo, timeout, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    armed, last, fed = False, b"", 0.0
    while True:
        try:
            data = os.read(fd, 4096)
            closed = not data
        except BlockingIOError:
            data, closed = b"", False
        now = time.monotonic()
        if data:
            armed, last, fed = True, data[-1:], now
        elif closed and last == b"V":
            armed = False
        if armed and now - fed > timeout:
            subprocess.run(command, check=False)
            return
        time.sleep(STEP)


if __name__ == "__main__":
    main()
