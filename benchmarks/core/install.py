"""What a newcomer waits for: the core install, `lawspeaker --version`, one `lawspeaker ask`.

    python benchmarks/core/install.py

Makes a fresh virtual environment in a temporary folder, installs the core from this checkout as the README does, and
times the commands in it. Prints one JSON object. The install's time depends on the package index and pip's cache.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUEST = "Create an S3 bucket called invoices for acme. The website must be able to read it."


def timed(command: list[str], cwd: Path) -> tuple[float, int]:
    """Seconds and exit code of one run."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    return time.perf_counter() - begun, done.returncode


def megabytes(folder: Path) -> float:
    """Disk use in MiB, as `du` counts it: allocated blocks, a hard link once."""
    return sum(f.lstat().st_blocks * 512 for f in folder.rglob("*")) / 2**20


def spread(seconds: list[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(seconds), 3), "max": round(max(seconds), 3), "runs": len(seconds)}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv = folder / "venv"
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "-e", ROOT], check=True)
        seconds = time.perf_counter() - begun
        listed = subprocess.run([venv / "bin/pip", "list", "--format=json"], capture_output=True, check=True)
        program = str(venv / "bin/lawspeaker")
        asked = [timed([program, "ask", "--seed", str(seed), REQUEST], folder) for seed in range(1, 21)]
        version = [timed([program, "--version"], folder)[0] for _ in range(21)][1:]
        result = {
            "install_seconds": round(seconds, 1),
            "megabytes": round(megabytes(venv), 1),
            "distributions": len(json.loads(listed.stdout)),
            "version_seconds": spread(version),
            "ask_seconds": spread([took for took, _ in asked]),
            "ask_exit_codes": {code: [c for _, c in asked].count(code) for code in sorted({c for _, c in asked})},
            "cpus": os.cpu_count(),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
