"""Start the page in a container: ``streamlit run``, hardened from the start on, not only from the first visitor on."""

import sys
from pathlib import Path

from streamlit.web import cli

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from assistant.ui.streamlit_private import harden_server  # noqa: E402

if __name__ == "__main__":
    harden_server()
    cli.main(["run", str(ROOT / "streamlit_app.py"), *sys.argv[1:]], prog_name="streamlit")
