"""Print how many lines of each folder the last ``coverage run`` executed. Fail if a module was never executed."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    report = Path(folder) / "coverage.json"
    subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", report], check=True)
    files = json.loads(report.read_text())["files"]

executed: Counter[str] = Counter()
lines: Counter[str] = Counter()
untouched = []
for name, result in files.items():
    folder_name = str(Path(name).parent)
    executed[folder_name] += result["summary"]["covered_lines"]
    lines[folder_name] += result["summary"]["num_statements"]
    if result["summary"]["num_statements"] and not result["summary"]["covered_lines"]:
        untouched.append(name)
for folder_name in sorted(lines):
    if lines[folder_name]:
        print(f"{executed[folder_name] / lines[folder_name]:6.0%}  {folder_name}")
print(f"{executed.total() / lines.total():6.0%}  in all")
if untouched:
    sys.exit(f"The quick suite runs no line of: {', '.join(untouched)}")
