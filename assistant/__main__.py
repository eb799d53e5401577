"""``python -m assistant "a prompt"``: one turn in the terminal; see ``terminal.py``."""

import os
import sys

from assistant.terminal import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
