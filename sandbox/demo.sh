# SPDX-License-Identifier: GPL-3.0-or-later
# The main job on this machine: start the local landscape, run site.yml on it, send traffic through its edge, and account for it.
# LOGS=<folder or file> takes real CloudFront log files in place of generated traffic; PIXEL_PATH=<regular expression> says
# which paths count as the pixel; other paths than before make new hosts. The last line is the ledger's; the exit code is 1 unless nothing was lost.
set -euo pipefail
cd "$(dirname "$0")/.."

hits=${HITS:-2000}
ledger=.cache/ledger.json
if [[ ! $hits =~ ^[1-9][0-9]*$ ]]; then
  echo "HITS=$hits is no number of requests." >&2
  exit 2
fi
if [ -n "${LOGS:-}" ] && [ -z "$(find "$LOGS" -type f -print -quit 2>/dev/null)" ]; then
  echo "There is no log file, or folder with any, LOGS=$LOGS." >&2
  exit 2
fi

step() { printf '\n== %s (%d s since the start)\n\n' "$1" "$SECONDS"; }

mkdir -p .cache
rm -f "$ledger"
# As JSON, which leaves a regular expression as it is.
PIXEL_PATH=${PIXEL_PATH:-} python3 - "$PWD/$ledger" > .cache/demo.json <<'END'
import json, os, sys
variables = {"event_ledger_open_hours": 0, "event_ledger_retention_days": 40000, "event_ledger_report": sys.argv[1]}
if os.environ["PIXEL_PATH"]:
    variables["simple_analytics_pixel_path"] = os.environ["PIXEL_PATH"]
json.dump(variables, sys.stdout)
END
step "Starting the local landscape"
# The hosts are made for the pixel's path: a wrong one must not get that far.
ansible-playbook playbooks/preflight.yml sandbox/start.yml -e @.cache/demo.json

step "Running site.yml on it"
ansible-playbook site.yml -e @.cache/demo.json

if [ -n "${LOGS:-}" ]; then
  step "Delivering the log files of $LOGS"
  python3 -m sandbox.traffic --logs "$LOGS"
else
  step "Sending $hits requests through the edge"
  python3 -m sandbox.traffic --hits "$hits"
fi

step "Accounting for every line delivered"
ansible-playbook playbooks/audit.yml -e @.cache/demo.json

last=$(python3 -c 'import json, sys; print(max(hour["hour"] for hour in json.load(open(sys.argv[1]))["hours"])[:10])' "$ledger")
step "Making a page of the week that ends on $last"
PWD=$PWD/.cache ansible-playbook playbooks/report.yml -e report_period=week -e "report_last=$last"
python3 -m sandbox.summary "$ledger" "$last"
