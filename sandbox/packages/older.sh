# SPDX-License-Identifier: GPL-3.0-or-later
# Adds the repository of the major version before, which upgrades begin at. usage: older.sh CACHE
set -euo pipefail
cd "$(dirname "$0")"
cache=$1
exec 9> "$cache/.lock"
flock 9
elasticsearch=8.19.8
sonarqube=26.1.0.118079

home=$cache/elasticsearch-$elasticsearch
[ -d "$home" ] || bash elasticsearch/home.sh "$elasticsearch" "$sonarqube" "$home"
deb=$cache/older-elasticsearch-$(find elasticsearch older.sh -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16).deb
if [ ! -e "$deb" ] || [ ! -e "$cache/packages/packages/8.x/apt/dists" ]; then
  rm -f "$cache"/older-elasticsearch-*.deb
  bash elasticsearch/deb.sh "$home" "$elasticsearch" "$deb.part"
  mv "$deb.part" "$deb"
  bash repository.sh "$cache/packages" "$cache/keys" 8.x "$deb"
  echo "made Elasticsearch $elasticsearch"
fi
