"""The commands of README.md that say where they are to be run, and one of them run as a person would.

A code block (indented or fenced) after a line `<!-- on: WHERE -->` belongs to WHERE: "n1", "n2, then n3",
"every server". A block without such a line is nobody's to run here."""
import os
import pty
import re
import select
import subprocess
import sys
import time

MARK = re.compile(r"^<!-- on: (.+?) -->$")
QUESTION = re.compile(rb"\(y/n\)\? $|\[y/N\]:? $|\(yes/no\)\? $")
ANSWER = b"y\n"
READ, TAIL = 65536, 4096


def code_after(lines):
    """The first code block of lines, which begins at once or after blank lines; "" if there is none."""
    lines = list(lines)
    while lines and not lines[0].strip():
        lines.pop(0)
    if lines and lines[0].startswith("```"):
        end = next(i for i, line in enumerate(lines[1:], 1) if line.startswith("```"))
        return "\n".join(lines[1:end]) + "\n"
    block = []
    for line in lines:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block).strip("\n") + "\n" if any(block) else ""


def blocks(text):
    """[(where, code)] in the order of the text."""
    found, lines = [], text.split("\n")
    for i, line in enumerate(lines):
        mark = MARK.match(line.strip())
        if mark:
            code = code_after(lines[i + 1:])
            if not code:
                raise ValueError("README.md:%d: no code block after %s" % (i + 1, line))
            found.append((mark.group(1), code))
    return found


def converse(command, seconds, shown):
    """Run command on a terminal, show what it says, answer what it asks with y. Its exit code, -1: too late."""
    master, slave = pty.openpty()
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    end, tail = time.monotonic() + seconds, b""
    while True:
        ready, _, _ = select.select([master], [], [], max(0, min(1, end - time.monotonic())))
        try:
            data = os.read(master, READ) if ready else b""
        except OSError:     # the last one who had the terminal is gone
            break
        if ready and not data:
            break
        shown.write(data)
        shown.flush()
        tail = (tail + data)[-TAIL:]
        if data and QUESTION.search(tail):
            os.write(master, ANSWER)
        if not ready and child.poll() is not None:
            break           # something it left behind keeps the terminal
        if time.monotonic() >= end:
            os.killpg(child.pid, 9)
            child.wait()
            os.close(master)
            return -1
    os.close(master)
    return child.wait()


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: readme.py SECONDS LOG COMMAND...   (answers y; exits with the command's code)")
    with open(sys.argv[2], "ab") as shown:
        code = converse(sys.argv[3:], float(sys.argv[1]), shown)
    if code == -1:
        print("no end within %s s" % sys.argv[1], file=sys.stderr)
    sys.exit(124 if code == -1 else code & 255)


if __name__ == "__main__":
    main()
