"""Instructions per message, which don't depend on the machine's speed:
callgrind around one side, twice; the difference of the two runs counts."""

import collections
import csv
import glob
import os
import sys
import tempfile

from workloads import BASELINE, BY_NAME, PEERS, SUBJECT

# What is measured, the workload for it, and around which sides.
CASES = [
    ("send 64 B", "one_way_64", ("drive",)),
    ("receive 64 B", "one_way_64", ("serve",)),
    ("send 64 B, 1 a loop turn", "one_way_64_turn_1", ("drive",)),
    ("round trip 64 B", "round_trip_64_same", ("drive", "serve")),
    ("round trip 64 KiB", "round_trip_65536_same", ("drive", "serve")),
]
SHORT, LONG = 1000, 5000


def report(runner, results):
    """Prints a line a case and peer, and keeps them in instructions.csv."""
    rows = []
    for title, name, roles in CASES:
        for peer in (SUBJECT, BASELINE):
            row = {"what": title, "peer": PEERS[peer]}
            row.update(per_message(runner, peer, BY_NAME[name], roles))
            rows.append(row)
            print(f"{title:26} {PEERS[peer]:12}" + "".join(
                f" {key} {row[key]:7.1f}" for key in list(row)[2:]),
                flush=True)
    path = results / "instructions.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({key: value if isinstance(value, str)
                          else f"{value:.1f}" for key, value in row.items()}
                         for row in rows)
    print(f"instructions per message; written: {path}")
    return 0


def per_message(runner, peer, workload, roles):
    short, long = (count(runner, peer, workload, roles, messages)
                   for messages in (SHORT, LONG))
    # With the warm-up, a fifth as long.
    messages = (LONG - SHORT) * 6 / 5
    found = {key: (long[key] - short[key]) / messages
             for key in ("ipc_channel", "libuv", "libc", "harness")}
    found["all"] = sum(found.values())
    return found


def count(runner, peer, workload, roles, messages):
    """Instructions by the object that has them."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        wrap = {role: ["valgrind", "-q", "--tool=callgrind",
                       "--compress-strings=no", "--compress-pos=no",
                       f"--callgrind-out-file={folder}/{role}"]
                for role in roles}
        runner.run(peer, workload, f"count={messages}", wrap=wrap)
        found = collections.Counter()
        for path in glob.glob(folder + "/*"):
            add_file(path, found)
        return found


def add_file(path, found):
    group, is_call = "", False
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("ob="):
                group = group_of(os.path.basename(line[3:].strip()))
            elif line.startswith("calls="):
                is_call = True
            elif line[0].isdigit():
                # The line below a call is what the callee cost.
                if not is_call:
                    found[group] += int(line.split()[1])
                is_call = False


def group_of(name):
    for start, group in (("libipc_channel", "ipc_channel"), ("libuv", "libuv"),
                         ("libc.", "libc"), ("libc-", "libc"),
                         ("peer_", "harness")):
        if name.startswith(start):
            return group
    return "other"


if __name__ == "__main__":
    sys.exit("see ./dev bench --instructions")
