#!/usr/bin/env python3
"""readme.py: which blocks it finds, and that it answers what a command asks."""
import io
import os
import unittest

import readme

TEXT = """
Words.

    not to be run

<!-- on: n1 -->
    one
    two

    three

More.

<!-- on: every server -->

```sh
four
```
"""


class Blocks(unittest.TestCase):
    def test_found(self):
        self.assertEqual(readme.blocks(TEXT), [("n1", "one\ntwo\n\nthree\n"), ("every server", "four\n")])

    def test_mark_without_block(self):
        with self.assertRaisesRegex(ValueError, "README.md:1"):
            readme.blocks("<!-- on: n1 -->\nwords\n")

    def test_readme(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "..", "..", "README.md")) as f:
            found = readme.blocks(f.read())
        self.assertTrue(found)
        for _, code in found:
            self.assertNotIn("<!--", code)


class Converse(unittest.TestCase):
    def run_it(self, script, seconds=20):
        said = io.BytesIO()
        return readme.converse(["sh", "-c", script], seconds, said), said.getvalue().decode()

    def test_answers(self):
        code, said = self.run_it("printf 'Write these (y/n)? '; read a; test -t 1 && echo got $a; exit 3")
        self.assertEqual(code, 3)
        self.assertIn("got y", said)

    def test_no_question_no_answer(self):
        code, _ = self.run_it("echo 'y or n?'; read a", 1)
        self.assertEqual(code, -1)

    def test_daemon_left_behind(self):
        self.assertEqual(self.run_it("sleep 5 & exit 0")[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
