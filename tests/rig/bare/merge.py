#!/usr/bin/env python3
"""merge.py BASE MORE: one compose file of two. Lists are appended, but for command and entrypoint."""
import sys

import yaml


def merge(base, more):
    for key, value in more.items():
        if isinstance(value, dict):
            base[key] = merge(base.get(key) or {}, value)
        elif isinstance(value, list) and key == "volumes":
            base[key] = base.get(key, []) + value
        else:
            base[key] = value
        if base[key] == []:
            del base[key]
    return base


with open(sys.argv[1]) as base_file, open(sys.argv[2]) as more_file:
    merged = merge(yaml.safe_load(base_file), yaml.safe_load(more_file))
yaml.safe_dump(merged, sys.stdout, sort_keys=False)
