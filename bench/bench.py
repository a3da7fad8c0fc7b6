#!/usr/bin/env python3
"""Measures the peers beside each other: interleaved rounds, medians, ratios to
plain libuv in the same round. ./dev bench builds and calls this."""

import argparse
import csv
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import chart
import instructions
from runner import Failed, Runner
from workloads import (BASELINE, BY_NAME, PEERS, SUBJECT, TURNING, WORKLOADS,
                       MANY, Workload)

# nanomsg has at most 512 sockets in a process, and each client needs one.
CONNECTIONS = 500
COUNTED = 20000
# A quick run begins no further round after this.
QUICK_S = 42


def main():
    options = parse()
    runner = Runner(options.build)
    options.results.mkdir(parents=True, exist_ok=True)
    if options.instructions:
        return instructions.report(runner, options.results)

    peers = [peer for peer in options.peers if runner.is_there(peer)]
    missing = [PEERS[peer] for peer in options.peers if peer not in peers]
    print(machine())
    print("not installed: " + (", ".join(missing) or "none"), flush=True)
    runs = measure(runner, options, peers)
    write_csv(options.results / "runs.csv", runs)
    print_table(runs, peers, "CPU time, inverted," if options.by_cpu
                else "speed")
    if not options.only:
        print_counts(runner, [peer for peer in MANY if peer in peers], runs)
    chart_file = options.chart or options.results / "performance.svg"
    chart.write(chart_file, ratios(runs), peers, rounds_of(runs))
    print(f"\nwritten: {options.results / 'runs.csv'}, {chart_file}")
    return 1 if any(run["error"] for run in runs) else 0


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench",
                                     description=__doc__)
    parser.add_argument("--build", default="build/bench/bench",
                        help=argparse.SUPPRESS)
    parser.add_argument("--results", type=pathlib.Path,
                        default=pathlib.Path("build/bench/results"))
    parser.add_argument("--quick", action="store_true",
                        help="under a minute: one round of all, further ones "
                        "of the library and plain libuv")
    parser.add_argument("--instructions", action="store_true",
                        help="instructions per message (valgrind)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--duration-ms", type=int, default=500,
                        help="of each run, behind a warm-up")
    parser.add_argument("--by-cpu", action="store_true",
                        help="compare the CPU time of both sides, not the "
                        "time that passes: for a machine that others use")
    parser.add_argument("--only", nargs="+", metavar="WORKLOAD",
                        choices=list(BY_NAME), help=", ".join(BY_NAME))
    parser.add_argument("--peers", nargs="+", metavar="PEER",
                        choices=list(PEERS), default=list(PEERS),
                        help=", ".join(PEERS))
    parser.add_argument("--chart", type=pathlib.Path, metavar="FILE.svg")
    options = parser.parse_args()
    if options.quick:
        options.duration_ms = 60
    return options


def machine():
    words = [platform.system(), platform.release(),
             f"{os.cpu_count()} CPUs"]
    try:
        with open("/proc/cpuinfo", encoding="ascii") as file:
            words += {line.split(":")[1].strip() for line in file
                      if line.startswith("model name")}
        with open("/proc/sys/net/core/wmem_max", encoding="ascii") as file:
            words.append(f"wmem_max {file.read().strip()}")
    except OSError:
        pass
    return ", ".join(words)


# --- measuring --------------------------------------------------------------

def measure(runner, options, peers):
    """A row for each run. In a round each workload is run by one peer after the
    other, beginning with another one each time."""
    runs = []
    begin = time.monotonic()
    for number in range(options.rounds):
        now = peers
        if options.quick and number > 0:
            now = [peer for peer in TURNING if peer in peers]
        for workload in WORKLOADS:
            if options.only and workload.name not in options.only:
                continue
            turn = number % len(now)
            for peer in now[turn:] + now[:turn]:
                if peer in workload.peers:
                    runs.append(one_run(runner, options, workload, peer,
                                        number))
        spent = time.monotonic() - begin
        print(f"round {number + 1} of {options.rounds}: {spent:.0f} s",
              file=sys.stderr, flush=True)
        # The next one takes as long as the last of its kind, or a third of one
        # with all peers.
        if options.quick and spent * (number + 2) / (number + 1) > QUICK_S:
            break
    return runs


def one_run(runner, options, workload, peer, number):
    row = {"round": number, "workload": workload.name, "peer": peer,
           "error": ""}
    try:
        result = runner.run(peer, workload,
                            f"duration_ms={options.duration_ms}")
        row["messages"] = int(result["count"])
        row["seconds"] = (result["cpu_us"] / 1e6 if options.by_cpu
                          else result["seconds"])
        row["per_second"] = row["messages"] / row["seconds"]
        row["cpu_seconds_per_million"] = result["cpu_us"] / result["count"]
    except Failed as error:
        row["error"] = str(error) or "it ended"
        print(f"{PEERS[peer]}, {workload.title}: {row['error']}",
              file=sys.stderr, flush=True)
    return row


def write_csv(path, runs):
    fields = ["round", "workload", "peer", "messages", "seconds", "per_second",
              "cpu_seconds_per_million", "error"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(runs)


# --- what came of it --------------------------------------------------------

def values(runs, workload, peer, field):
    return {run["round"]: run[field] for run in runs
            if run["workload"] == workload and run["peer"] == peer
            and not run["error"]}


def ratios(runs):
    """{workload: {peer: the ratios of speed, one a round}}"""
    found = {}
    for workload in BY_NAME:
        baseline = values(runs, workload, BASELINE, "per_second")
        for peer in PEERS:
            speeds = values(runs, workload, peer, "per_second")
            of_peer = [speeds[number] / baseline[number]
                       for number in speeds if number in baseline]
            if of_peer:
                found.setdefault(workload, {})[peer] = of_peer
    return found


def rounds_of(runs):
    return 1 + max((run["round"] for run in runs), default=0)


def short(ratio):
    return f"{ratio:.0f}" if ratio >= 20 else (
        f"{ratio:.1f}" if ratio >= 5 else f"{ratio:.2f}")


def absolute(workload, per_second):
    if workload.unit == "us":
        return f"{1e6 / per_second:.1f} us"
    if workload.unit == "GiB/s":
        return f"{per_second * workload.size / 2**30:.1f} GiB/s"
    if per_second >= 1e6:
        return f"{per_second / 1e6:.2f} M/s"
    return f"{per_second / 1e3:.1f} k/s"


def print_rows(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0])] +
                        [cell.rjust(width) for cell, width
                         in zip(row[1:], widths[1:])]).rstrip())


def own_cells(workload, own):
    """The library's median, spread, goal and whether that is met."""
    if not own:
        return ["-"] * 4
    median = statistics.median(own)
    cells = [short(median), f"{short(min(own))} - {short(max(own))}"]
    if not workload.goal:
        return cells + ["", ""]
    return cells + [f">= {workload.goal:g}",
                    "yes" if median >= workload.goal else "no"]


def print_table(runs, peers, what):
    """Ratios to plain libuv; the spread is that of the library."""
    found = ratios(runs)
    others = [peer for peer in peers if peer not in (SUBJECT, BASELINE)]
    print(f"\n{what} as a ratio to plain libuv, medians of "
          f"{rounds_of(runs)} rounds (the other peers: of those they were in)")
    rows = [["workload", PEERS[BASELINE], PEERS[SUBJECT], "from - to", "goal",
             "met"] + [PEERS[peer] for peer in others]]
    for name, of_peers in found.items():
        workload = BY_NAME[name]
        base = statistics.median(
            values(runs, name, BASELINE, "per_second").values())
        rows.append(
            [workload.title, absolute(workload, base)] +
            own_cells(workload, of_peers.get(SUBJECT)) +
            [short(statistics.median(of_peers[peer]))
             if peer in of_peers else "-" for peer in others])
    print_rows(rows)


def print_counts(runner, peers, runs):
    """What isn't a ratio of speeds."""
    print("\ncounted, not timed")
    idle = Workload("idle", "", "idle", "")
    rows = [["", "goal"] + [PEERS[peer] for peer in peers]]
    rows.append(["CPU seconds per million 64 B messages", "<= 0.07"])
    for peer in peers:
        cpu = values(runs, "one_way_64", peer, "cpu_seconds_per_million")
        rows[-1].append(f"{statistics.median(cpu.values()):.3f}"
                        if cpu else "-")
    if not runner.counting.exists():
        return print_rows(rows)
    rows.append([f"heap bytes per idle connection of {CONNECTIONS}", "<= 600"])
    for peer in peers:
        rows[-1].append(counted(
            runner, peer, idle, CONNECTIONS, lambda result:
            f"{result['server_heap_bytes'] / (CONNECTIONS - 1):.0f}"))
    for name in ("one_way_64", "one_way_64_turn_1", "round_trip_64_same"):
        workload = BY_NAME[name]
        for what in ("allocations", "system_calls"):
            rows.append([f"{what.replace('_', ' ')} per message, "
                         f"{workload.title}",
                         "0" if what == "allocations" else ""])
            rows[-1] += [
                counted(runner, peer, workload, COUNTED,
                        lambda result: f"{result[what] / result['count']:.3f}")
                if peer in workload.peers else "-" for peer in peers]
    return print_rows(rows)


def counted(runner, peer, workload, count, text):
    try:
        return text(runner.run(peer, workload, f"count={count}",
                               counting=True))
    except Failed as error:
        print(f"{PEERS[peer]}, {workload.kind}: {error}", file=sys.stderr)
        return "failed"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, subprocess.SubprocessError) as problem:
        sys.exit(f"bench: {problem}")
