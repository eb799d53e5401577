"""A container's health check: exit with 0 if the page's server responds on this machine, else with 1."""

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    """Return the exit status."""
    prefix = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    port = int(os.environ.get("STREAMLIT_SERVER_PORT", "8501"))
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", f"/{prefix}/_stcore/health" if prefix else "/_stcore/health")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
