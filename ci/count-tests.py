#!/usr/bin/env python3
"""Counts what a `meson test` run has shown and prints one line about it.

usage: count-tests.py BUILD_DIR EXIT_STATUS_OF_MESON_TEST

Each subtest of a TAP program counts as one, any other program as one. A
program that crashed, timed out or did not run all the tests it had announced
counts at least one failure, also when every subtest it came to has passed.
Exits with 1 if anything failed or nothing ran.
"""

import glob
import json
import os
import re
import sys

PLAN = re.compile(r"1\.\.(\d+)\s*(#\s*skip)?", re.IGNORECASE)
SUBTEST = re.compile(r"(not )?ok\b[^#]*(#\s*(skip|todo)\b)?", re.IGNORECASE)

BAD = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}

# How much of a failed program's output is shown.
LOG_LINES = 200


def read_lines_of_json(build_dir):
    """The results of the programs, one object a line, as Meson wrote them."""
    for path in glob.glob(os.path.join(build_dir, "meson-logs/testlog*.json")):
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def tap_programs(build_dir):
    path = os.path.join(build_dir, "meson-info/intro-tests.json")
    with open(path, encoding="utf-8") as file:
        return {t["name"] for t in json.load(file) if t["protocol"] == "tap"}


def is_tap(program, tap_names):
    """Meson may put the project and the suite before the name."""
    name = program["name"]
    return any(re.search(rf"(^|[ :]){re.escape(tap)}$", name) for tap in tap_names)


class Count:
    """What one program, or all of them, have shown."""

    def __init__(self, passed=0, skipped=0, failures=()):
        self.passed = passed
        self.skipped = skipped
        self.failures = list(failures)

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures

    def __str__(self):
        line = f"{self.passed} passed, {len(self.failures)} failed"
        return line + (f", {self.skipped} skipped" if self.skipped else "")


def count_tap(program):
    count = Count()
    planned = None
    for line in (program.get("stdout") or "").splitlines():
        plan = PLAN.match(line)
        subtest = SUBTEST.match(line)
        if plan:
            planned = int(plan.group(1))
            count.skipped += 1 if plan.group(2) else 0
        elif subtest:
            directive = (subtest.group(3) or "").lower()
            # cmocka 1.1.5 writes a skipped test as "not ok 1 # SKIP".
            if directive == "skip":
                count.skipped += 1
            elif bool(subtest.group(1)) == (directive == "todo"):
                count.passed += 1
            else:
                count.failures.append(f"{program['name']}: {line}")

    # A failed subtest is most often why the program failed; look for what
    # is wrong with the program as such only where there is none.
    reason = None if count.failures else why_tap_failed(program, planned, count)
    if reason:
        count.failures.append(f"{program['name']}: {reason}")
    return count


def why_tap_failed(program, planned, count):
    ran = count.passed + count.skipped
    if program["result"] in BAD - {"ERROR", "FAIL"}:
        return program["result"].lower()
    if program.get("returncode"):
        return f"exit status {program['returncode']} after {ran} tests"
    if planned is None:
        return "announced no tests"
    if ran < planned:
        return f"ran {ran} of {planned} tests"
    # Something else that Meson has seen, such as a "Bail out!".
    return "error" if program["result"] == "ERROR" else None


def count_program(program):
    result = program["result"]
    if result in BAD:
        status = program.get("returncode")
        return Count(failures=[f"{program['name']}: {result.lower()} ({status})"])
    return Count(skipped=1) if result == "SKIP" else Count(passed=1)


def show_log(program):
    print(f"--- {program['name']}")
    for stream in ("stdout", "stderr"):
        lines = (program.get(stream) or "").splitlines()
        if len(lines) > LOG_LINES:
            print(f"[{len(lines) - LOG_LINES} lines before these]")
        for line in lines[-LOG_LINES:]:
            print(f"    {line}")


def main(build_dir, meson_status):
    tap_names = tap_programs(build_dir)
    total = Count()
    saw_bad = False
    for program in read_lines_of_json(build_dir):
        saw_bad = saw_bad or program["result"] in BAD
        counter = count_tap if is_tap(program, tap_names) else count_program
        count = counter(program)
        if count.failures:
            show_log(program)
        total.add(count)

    if meson_status != 0 and not saw_bad:
        total.failures.append(f"meson test itself: exit status {meson_status}")
    print()
    for failure in total.failures:
        print(f"failed: {failure}")
    if not total.passed and not total.failures:
        print("no test ran")
    print(total)
    return 1 if total.failures or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
