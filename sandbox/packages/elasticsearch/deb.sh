# SPDX-License-Identifier: GPL-3.0-or-later
# Packs an assembled Elasticsearch as the vendor's package lays it out. usage: deb.sh HOME VERSION DEB
set -euo pipefail
here=$(dirname "$0") home=$1 version=$2 deb=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 0755 "$root"
architecture=$(dpkg --print-architecture)

script() {
  { echo '#!/bin/bash'; cat "$1"; } > "$2"
  chmod 0755 "$2"
}

install -d "$root"/{DEBIAN,etc/default,etc/elasticsearch,usr/lib/{systemd/system,sysctl.d},usr/share/elasticsearch,var/l{ib,og}/elasticsearch}
cp -r "$home"/{bin,lib,modules,plugins} "$root/usr/share/elasticsearch/"
cp -r "$home"/config/. "$root/etc/elasticsearch/"
printf 'path.data: /var/lib/elasticsearch\npath.logs: /var/log/elasticsearch\n' >> "$root/etc/elasticsearch/elasticsearch.yml"
printf '#ES_JAVA_OPTS=\n' > "$root/etc/default/elasticsearch"
printf 'vm.max_map_count=262144\n' > "$root/usr/lib/sysctl.d/elasticsearch.conf"
install -m 0644 "$here/elasticsearch.service" "$root/usr/lib/systemd/system/"
script "$here/systemd-entrypoint" "$root/usr/share/elasticsearch/bin/systemd-entrypoint"
# shellcheck disable=SC2016 # the variable is the script's own
sed -i 's/^ES_DISTRIBUTION_TYPE=.*/ES_DISTRIBUTION_TYPE=deb/; s#ES_PATH_CONF="$ES_HOME"/config#ES_PATH_CONF=/etc/elasticsearch#' \
  "$root/usr/share/elasticsearch/bin/elasticsearch-env"
# The vendor's package brings a Java of its own.
ln -s "/usr/lib/jvm/java-21-openjdk-$architecture" "$root/usr/share/elasticsearch/jdk"
gcc -shared -fPIC -O1 -o "$root/usr/share/elasticsearch/lib/nofile.so" "$here/nofile.c"

script "$here/postinst" "$root/DEBIAN/postinst"
find "$root/etc" -type f -printf '/etc/%P\n' > "$root/DEBIAN/conffiles"
cat > "$root/DEBIAN/control" <<C
Package: elasticsearch
Version: $version
Architecture: $architecture
Maintainer: Simple Analytics contributors <noreply@example.invalid>
Depends: adduser, iproute2, openjdk-21-jre-headless
Description: Elasticsearch assembled from Maven Central, for the local landscape only
C
chmod -R u=rwX,go=rX "$root/usr" "$root/etc"
dpkg-deb --root-owner-group -Znone --build "$root" "$deb" > /dev/null
