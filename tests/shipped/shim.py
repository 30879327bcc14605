"""What tests do with fault_shim.c: make calls of the server to the system fail, or wait."""

import contextlib
import mmap
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "server"))

from harness import ServerTest  # noqa: E402

SHIM = os.environ["FLOWDB_FAULT_SHIM"]
KINDS = ["open", "read", "write", "sync", "truncate", "allocate", "rename", "unlink", "link", "mkdir"]
LAYOUT = struct.Struct("<QQIIQII" + "Q" * len(KINDS) + "II")
GATE_AT = LAYOUT.size - 8 * len(KINDS) - 12
HOLD_AT = LAYOUT.size - 8


class Counters:
    """What the shim counts, and what it is told."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(LAYOUT.size)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), LAYOUT.size)

    def arm(self, fail_at, error, persistent, kinds=()):
        """The call `fail_at`, counted from now, fails; only those of `kinds` may, where there are any."""
        bits = sum(1 << KINDS.index(kind) for kind in kinds)
        self.memory[:] = LAYOUT.pack(0, fail_at, error, persistent, 0, bits, 0, *([0] * len(KINDS)), 0, 0)

    def disarm(self):
        self.arm(0, 0, 0)

    def gate(self, kind):
        self.memory[GATE_AT:GATE_AT + 4] = struct.pack("<I", KINDS.index(kind) + 1)

    def hold(self, *kinds):
        """All calls of these kinds wait from now on; of none, those that do go on."""
        bits = sum(1 << KINDS.index(kind) for kind in kinds)
        self.memory[HOLD_AT:HOLD_AT + 4] = struct.pack("<I", bits)

    def held(self):
        return struct.unpack("<I", self.memory[HOLD_AT + 4:])[0]

    def read(self):
        calls, _, _, _, failed, _, _, *kinds = LAYOUT.unpack(self.memory[:])
        return calls, failed, dict(zip(KINDS, kinds[:-2]))


class ShimTest(ServerTest):
    starts_server = False

    def setUp(self):
        super().setUp()
        self.counters = Counters(os.path.join(self.folder, "counters"))
        self.gate = os.path.join(self.folder, "gate")
        os.mkfifo(self.gate)

    def shimmed(self, on):
        """Whether servers that are started from now on have the shim in front of libc."""
        for name in ("LD_PRELOAD", "FAULT_SHIM_PATH", "FAULT_SHIM_COUNTERS", "FAULT_SHIM_GATE"):
            os.environ.pop(name, None)
        if on:
            os.environ.update(LD_PRELOAD=SHIM, FAULT_SHIM_PATH=os.path.join(self.folder, "data"),
                              FAULT_SHIM_COUNTERS=self.counters.path, FAULT_SHIM_GATE=self.gate)

    def start_shimmed(self, *arguments):
        self.shimmed(True)
        try:
            return self.start(*arguments)
        finally:
            self.shimmed(False)

    @contextlib.contextmanager
    def held(self, kind, ask):
        """Calls `ask`, and waits until the server is in a call of `kind`, where it stays meanwhile."""
        self.counters.gate(kind)
        ask()
        with open(self.gate, "wb", buffering=0):
            yield
