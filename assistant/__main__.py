"""``python -m assistant "a message"``: one answer in a terminal; see ``cli``."""

import os
import sys

from assistant.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
