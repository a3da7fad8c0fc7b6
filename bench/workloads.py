"""What is measured, with whom, and which ratio the library is to reach."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

# In the order of the table; the second is what the others are compared with.
PEERS = {
    "ipc": "ipc_channel",
    "uv": "plain libuv",
    "epoll": "raw epoll",
    "sockets": "blocking",
    "nng": "nng",
    "zmq": "ZeroMQ",
    "nanomsg": "nanomsg",
    "node": "Node",
}
SUBJECT = "ipc"
BASELINE = "uv"
# Those whose loop has turns, and those that serve many clients.
TURNING = ("ipc", "uv")
MANY = ("ipc", "uv", "epoll", "nng", "zmq", "nanomsg")


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: str  # as the peers call it
    unit: str  # of the baseline's figure: us, /s or GiB/s
    size: int = 64
    pinned: bool = False  # both sides on one CPU
    clients: int = 1
    per_turn: int = 0
    goal: float = 0
    peers: tuple = tuple(PEERS)

    def arguments(self):
        words = [f"size={self.size}", f"clients={self.clients}"]
        if self.per_turn:
            words.append(f"per_turn={self.per_turn}")
        return words


def size_text(size):
    if size >= MIB:
        return f"{size // MIB} MiB"
    return f"{size // KIB} KiB" if size >= KIB else f"{size} B"


def round_trip(size, pinned, goal):
    where = "same CPU" if pinned else "any CPU"
    return Workload(
        f"round_trip_{size}_{'same' if pinned else 'any'}",
        f"round trip {size_text(size)}, {where}",
        "round_trip", "us", size, pinned, goal=goal)


def per_turn(count, goal):
    return Workload(
        f"one_way_64_turn_{count}", f"one-way 64 B, {count} a loop turn",
        "one_way", "/s", per_turn=count, goal=goal, peers=TURNING)


WORKLOADS = [
    round_trip(64, True, 1.10),
    round_trip(64 * KIB, True, 2.2),
    round_trip(MIB, True, 1.9),
    round_trip(64, False, 0),
    round_trip(64 * KIB, False, 0),
    round_trip(MIB, False, 0),
    Workload("one_way_64", "one-way 64 B, backlog", "one_way", "/s", goal=50),
    per_turn(1, 0.9),
    per_turn(4, 3),
    per_turn(16, 11),
    Workload("one_way_1024", "one-way 1 KiB", "one_way", "/s", KIB, goal=8),
    Workload("one_way_65536", "one-way 64 KiB, same CPU", "one_way", "GiB/s",
             64 * KIB, True, goal=2.0),
    Workload("one_way_1048576", "one-way 1 MiB, same CPU", "one_way", "GiB/s",
             MIB, True, goal=1.4),
    Workload("clients_16", "16 clients, request and reply 64 B", "round_trip",
             "/s", clients=16, goal=1.1, peers=MANY),
    Workload("connect", "connect + request + close", "connect", "/s",
             goal=0.95),
]
BY_NAME = {workload.name: workload for workload in WORKLOADS}
