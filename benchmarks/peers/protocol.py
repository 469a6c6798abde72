"""The peers' side of benchmarks/run: the commands of benchmarks/workloads/server.cc.

    serve({"add": make_add}, after=None)      # make_add() returns the function that does one step
"""

import json
import sys
import time


def peak_mib():
    """The kernel's own high-water mark; getrusage would inherit that of the parent process."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM")


def time_steps(step, count, inner):
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        for _ in range(inner):
            step()
        seconds.append((time.perf_counter() - begin) / inner)
    return seconds


def serve(workloads, release=lambda: None):
    """Answers commands until stdin ends. `release` runs when a workload was dropped."""
    # Libraries that print to stdout would break the protocol.
    answers, sys.stdout = sys.stdout, sys.stderr
    step = None
    for line in sys.stdin:
        command, *words = line.split()
        try:
            if command == "list":
                answer = {"names": list(workloads)}
            elif command == "setup":
                step = None
                release()
                step = workloads[words[0]]()
                for _ in range(3):
                    step()
                answer = {"ready": words[0]}
            elif command == "time":
                answer = {"seconds": time_steps(step, int(words[0]), int(words[1]))}
            elif command == "memory":
                answer = {"peak_mib": peak_mib()}
            else:
                answer = {"error": f"unknown command '{command}'"}
        except Exception as error:  # told to the other side, which leaves this row out
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(answer), file=answers, flush=True)
