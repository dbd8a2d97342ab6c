# SPDX-License-Identifier: GPL-3.0-or-later
# Fills CACHE/packages with the signed repository. A package's file name carries the digest of what it is made of, so that
# it is made again only when that changes. usage: build.sh CACHE
set -euo pipefail
cd "$(dirname "$0")"
cache=$1
exec 9> "$cache/.lock"
flock 9
# SonarQube bundles the same Elasticsearch whole: the two versions belong together.
elasticsearch=9.4.3
sonarqube=26.9.0.129388

digest() {
  find "$@" -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
}

made=()
# Makes NAME-DIGEST.deb by the command that follows, unless it is there.
package() {
  local deb=$cache/$1-$2.deb
  made+=("$deb")
  if [ ! -e "$deb" ]; then
    rm -f "$cache/$1"-*.deb
    "${@:3}" "$deb.part"
    mv "$deb.part" "$deb"
    echo "made $1"
  fi
}

home=$cache/elasticsearch-$elasticsearch
[ -d "$home" ] || bash elasticsearch/home.sh "$elasticsearch" "$sonarqube" "$home"
package elasticsearch "$(digest build.sh elasticsearch)" bash elasticsearch/deb.sh "$home" "$elasticsearch"

kcl=$cache/kcl-$(digest ../logstash/kcl)
if [ ! -d "$kcl" ]; then
  rm -rf "$cache"/kcl-*
  mvn --quiet --batch-mode -Dstyle.color=never -Dmaven.repo.local="$cache/maven" -Djars="$kcl.part" -f ../logstash/kcl/pom.xml package
  mv "$kcl.part" "$kcl"
fi
package logstash "$(digest logstash ../logstash)" bash logstash/deb.sh ../logstash "$kcl"

package kibana "$(digest kibana ../kibana)" bash kibana/deb.sh ../kibana

contents=$(printf '%s\n' "${made[@]}" | cat - repository.sh | sha256sum)
if [ "$contents" != "$(cat "$cache/packages/.contents" 2> /dev/null)" ]; then
  bash repository.sh "$cache/packages" "$cache/keys" 9.x "${made[@]}"
  echo "$contents" > "$cache/packages/.contents"
  echo "signed the repository"
fi
