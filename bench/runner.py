"""Runs one workload of one peer: a server, its clients, and what they print."""

import os
import pathlib
import shutil
import subprocess
import tempfile

SOURCES = pathlib.Path(__file__).resolve().parent
# Beyond what the run itself takes; a peer that hangs is a failed one.
PATIENCE_S = 20


class Failed(Exception):
    """A peer has ended with an error, or not at all."""


class Runner:
    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.counting = self.build / "counting.so"

    def command(self, peer):
        if peer == "node":
            return [shutil.which("node"), str(SOURCES / "peer_node.js")]
        return [str(self.build / f"peer_{peer}")]

    def is_there(self, peer):
        program = self.command(peer)[0]
        return program is not None and os.path.exists(program)

    def run(self, peer, workload, limit, counting=False, wrap=None):
        """Returns what they have counted. `limit` is the argument
        that ends the run, `wrap` maps a role to the command around it."""
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            processes = []

            def start(role, words):
                processes.append(self.start(
                    (wrap or {}).get(role, []) + self.command(peer) +
                    [role, workload.kind, f"{folder}/s"] + words,
                    workload.pinned, counting))
                return processes[-1]

            try:
                expect_ready(start("serve", workload.arguments()))
                clients = [
                    start("drive", workload.arguments() +
                          [limit, f"client={i}"])
                    for i in range(workload.clients)]
                if workload.kind != "idle":
                    for client in clients:
                        expect_ready(client)
                for client in clients:
                    client.stdin.write("\n")
                    client.stdin.flush()
                return total([finish(client) for client in clients])
            finally:
                for process in processes:
                    stop(process)

    def start(self, command, pinned, counting):
        environment = dict(os.environ)
        if counting:
            environment["LD_PRELOAD"] = str(self.counting)
        cpus = os.sched_getaffinity(0) if hasattr(
            os, "sched_getaffinity") else set()

        def pin():
            os.sched_setaffinity(0, {max(cpus)})

        return subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=pin if pinned and cpus else None)


def expect_ready(process):
    if process.stdout.readline() != "ready\n":
        raise Failed(process.communicate(timeout=PATIENCE_S)[1].strip())


def finish(client):
    try:
        out, err = client.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired as late:
        raise Failed("it hangs") from late
    if client.returncode != 0:
        raise Failed(err.strip())
    return {key: float(value) for key, value in
            (pair.split("=") for pair in out.split())}


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def total(results):
    """The sums over all clients and their server, which each of them tells
    about."""
    sums = {"count": sum(result["count"] for result in results)}
    for what in ("cpu_us", "allocations", "system_calls", "heap_bytes"):
        sums[what] = (
            sum(result.get("client_" + what, 0) for result in results) +
            max(result.get("server_" + what, 0) for result in results))
    sums["server_heap_bytes"] = max(result.get("server_heap_bytes", 0)
                                    for result in results)
    sums["seconds"] = (max(result["end"] for result in results) -
                       min(result["begin"] for result in results))
    return sums
