"""What the benchmarks' pages say of the machine that they ran on."""

import os
import pathlib
import platform
import re
import subprocess


def output(command):
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout.strip()


def describe():
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 1024 / 1024),
        "kernel": platform.release(),
        "file_system": output(["stat", "-f", "-c", "%T", os.environ.get("TMPDIR", "/tmp")]),
        "compiler": output(["gcc", "-dumpfullversion"]),
    }


def sentence(machine):
    return "{cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, {file_system}, gcc {compiler}".format(**machine)
