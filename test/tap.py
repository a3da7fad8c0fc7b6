"""Tests in Python that print TAP: each function whose name begins with test_ is
one, in the order of the file. unittest.SkipTest says that it can't run here."""

import traceback
import unittest


def run(namespace):
    """Runs all the tests; returns the exit status."""
    tests = [(n, f) for n, f in namespace.items() if n.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except unittest.SkipTest as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:  # whatever it is, the next test runs
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    return 1 if failed else 0
