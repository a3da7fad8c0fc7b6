"""The shared library exports the functions that the header declares, and
nothing else: no further function, and no data.

usage: test_symbols.py HEADER LIBRARY

The exit status is 0, 1 with the differences, or 77 (skipped) for a static
library, which exports nothing.
"""

import os
import re
import struct
import subprocess
import sys

SKIPPED = 77
EXECUTABLE = 0x20000000  # a section of a PE file


def declared(header):
    """The functions that a header declares with its export macro, which has its
    name: IPC_CHANNEL_EXTERN in ipc_channel.h."""
    macro = os.path.basename(header).removesuffix(".h").upper() + "_EXTERN"
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    found = re.findall(rf"\b{macro}\s[^;({{]*?\b(\w+)\s*\(", text)
    if len(found) != len(re.findall(rf"\b{macro}\b", text)):
        sys.exit("not every declaration was understood")
    if len(found) != len(set(found)):
        sys.exit("something is declared twice")
    return set(found)


def from_nm(library, options, prefix):
    """Names, and which of them are code, as nm tells them."""
    listing = subprocess.run(
        ["nm", *options, library], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    symbols = {}
    for line in listing.splitlines():
        _, kind, name = line.rsplit(maxsplit=2)
        symbols[name.removeprefix(prefix).split("@")[0]] = kind in "Tt"
    return symbols


def from_pe(image):
    """The same from a DLL's export table (the PE format, "The .edata
    Section")."""

    def number(at, size=4):
        return int.from_bytes(image[at : at + size], "little")

    header = number(0x3C)
    optional = header + 24
    sections = []
    for i in range(number(header + 6, 2)):
        at = optional + number(header + 20, 2) + 40 * i
        size, address, _, start = struct.unpack("<4I", image[at + 8 : at + 24])
        sections.append((address, size, start, number(at + 36)))

    def section(address):
        return next(s for s in sections if s[0] <= address < s[0] + s[1])

    def offset(address):
        found = section(address)
        return address - found[0] + found[2]

    is_64_bit = number(optional, 2) == 0x20B
    table = offset(number(optional + (112 if is_64_bit else 96)))
    names = offset(number(table + 32))
    ordinals = offset(number(table + 36))
    functions = offset(number(table + 28))
    symbols = {}
    for i in range(number(table + 24)):
        start = offset(number(names + 4 * i))
        name = image[start : image.index(b"\0", start)].decode()
        address = number(functions + 4 * number(ordinals + 2 * i, 2))
        symbols[name] = bool(section(address)[3] & EXECUTABLE)
    return symbols


def exported(library):
    with open(library, "rb") as file:
        image = file.read()
    if image.startswith(b"!<arch>"):
        sys.exit(SKIPPED)
    if image.startswith(b"MZ"):
        return from_pe(image)
    if image.startswith(b"\x7fELF"):
        return from_nm(library, ["-D", "--defined-only"], "")
    return from_nm(library, ["-gU"], "_")


def main():
    header, library = sys.argv[1:]
    wanted = declared(header)
    symbols = exported(library)
    wrong = [f"exported, but not declared: {s}" for s in symbols.keys() - wanted]
    wrong += [f"declared, but not exported: {s}" for s in wanted - symbols.keys()]
    wrong += [f"not a function: {s}" for s, is_code in symbols.items() if not is_code]
    print("\n".join(sorted(wrong)) or f"{len(wanted)} functions, as declared")
    sys.exit(1 if wrong else 0)


main()
