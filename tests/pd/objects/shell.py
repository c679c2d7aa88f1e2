"""[shell]: an external of the tests' own. What it runs comes from outside of Pd, at an exact logical time."""

import subprocess

from neuralmidi.pd import Object, message


class Shell(Object):
    """Runs the commands of a file; Pd itself is ``$PPID`` to them."""

    name = "shell"
    outlets = 0

    @message()
    def run(self, file: str) -> None:
        """Run them, and wait until they are done; the file is beside the patch."""
        command = ["sh", "-e", str(self.folders[0] / file)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
