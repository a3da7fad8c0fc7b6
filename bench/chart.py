"""Draws the ratios as an SVG: a row for each workload, a dot for each peer, on
a logarithmic axis on which plain libuv is 1."""

import math
import statistics
from html import escape

from workloads import BASELINE, BY_NAME, PEERS, SUBJECT

LEFT, RIGHT, TOP, ROW = 250, 30, 62, 26
WIDTH = 820
COLOURS = {"ipc": "#c0392b", "uv": "#555555", "epoll": "#2980b9",
           "sockets": "#8e44ad", "nng": "#27ae60", "zmq": "#d68910",
           "nanomsg": "#16a085", "node": "#7f8c8d"}
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def write(path, ratios, peers, rounds):
    medians = {name: {peer: statistics.median(found[peer])
                      for peer in peers if peer in found}
               for name, found in ratios.items()}
    if not medians:
        return
    everything = [value for found in medians.values()
                  for value in found.values()]
    everything += [BY_NAME[name].goal or 1 for name in medians]
    low, high = min(everything) / 1.3, max(everything) * 1.3
    height = TOP + ROW * len(medians) + 40

    def x(ratio):
        share = math.log(ratio / low) / math.log(high / low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    shapes = list(axis(x, low, high, height)) + list(legend(peers))
    for row, (name, found) in enumerate(medians.items()):
        shapes += one_row(BY_NAME[name], found, x, TOP + ROW * (row + 0.5))
    shapes.append(text(LEFT, height - 8, "speed relative to plain libuv, "
                       f"median of {rounds} rounds; a bar is the goal"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                   f'height="{height}" viewBox="0 0 {WIDTH} {height}" '
                   'font-family="sans-serif" font-size="12">\n'
                   f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n')
        file.writelines(shape + "\n" for shape in shapes)
        file.write("</svg>\n")


def text(x, y, words, anchor="start", colour="#333"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'fill="{colour}">{escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"/>')


def dot(x, y, peer):
    size = 6 if peer == SUBJECT else 4
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" '
            f'fill="{COLOURS[peer]}"><title>{escape(PEERS[peer])}</title>'
            '</circle>')


def axis(x, low, high, height):
    for tick in TICKS:
        if low < tick < high:
            colour = "#888" if tick == 1 else "#ddd"
            yield line(x(tick), TOP, x(tick), height - 38, colour)
            yield text(x(tick), height - 24, f"{tick:g}", "middle")


def legend(peers):
    place = 20
    for peer in peers:
        yield dot(place, 24, peer)
        yield text(place + 10, 28, PEERS[peer])
        place += 34 + 7 * len(PEERS[peer])


def one_row(workload, found, x, y):
    yield text(LEFT - 12, y + 4, workload.title, "end")
    yield line(LEFT, y, WIDTH - RIGHT, y, "#eee")
    if workload.goal:
        yield line(x(workload.goal), y - 9, x(workload.goal), y + 9,
                   COLOURS[SUBJECT], 2)
    # The library last, so that nothing hides it.
    for peer in sorted(found, key=lambda peer: (peer == SUBJECT,
                                                peer == BASELINE)):
        yield dot(x(found[peer]), y, peer)
