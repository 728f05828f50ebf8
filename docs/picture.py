"""Makes `docs/ask.svg`, the terminal picture of the README, from a real run.

    python docs/picture.py

Runs the README's command in an empty folder with colours forced on, and lets rich draw what was printed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

REQUEST = "Create an S3 bucket called invoices for acme. The website must be able to read it."
PICTURE = Path(__file__).with_name("ask.svg")


def main() -> None:
    seed = sys.argv[1] if len(sys.argv) > 1 else "3"
    command = ["lawspeaker", "ask", "--seed", seed, REQUEST]
    environment = {**os.environ, "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0", "COLUMNS": "110"}
    environment.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [Path(sys.executable).with_name("lawspeaker"), *command[1:]],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=110, file=nowhere, force_terminal=True)
        console.print(Text(f'$ lawspeaker ask --seed {seed} \\\n    "{REQUEST}"', style="bold"))
        console.print(Text.from_ansi(run.stdout))
        console.save_svg(str(PICTURE), title="lawspeaker ask")


if __name__ == "__main__":
    main()
