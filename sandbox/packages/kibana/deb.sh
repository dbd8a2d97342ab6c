# SPDX-License-Identifier: GPL-3.0-or-later
# Packs the stand-in for Kibana as the vendor's package lays Kibana out. usage: deb.sh SOURCE DEB
set -euo pipefail
here=$(dirname "$0") source=$1 deb=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
home=$root/usr/share/kibana

install -d "$root"/{DEBIAN,etc/kibana,usr/lib/systemd/system,var/l{ib,og}/kibana} "$home"/{bin,lib}
cp -r "$source/kibana_standin" "$home/lib/"
find "$home/lib" -name __pycache__ -prune -exec rm -r {} +
for command in kibana:server kibana-keystore:keystore; do
  printf '#!/bin/sh\nPYTHONPATH=/usr/share/kibana/lib exec python3 -B -m kibana_standin.%s "$@"\n' "${command#*:}" \
    > "$home/bin/${command%:*}"
done
chmod 0755 "$home"/bin/*
touch "$root/etc/kibana/kibana.yml"
install -m 0644 "$here/kibana.service" "$root/usr/lib/systemd/system/"

{ echo '#!/bin/sh'; cat "$here/postinst"; } > "$root/DEBIAN/postinst"
chmod 0755 "$root/DEBIAN/postinst"
echo /etc/kibana/kibana.yml > "$root/DEBIAN/conffiles"
cat > "$root/DEBIAN/control" <<C
Package: kibana
Version: 9.4.3
Architecture: all
Maintainer: Simple Analytics contributors <noreply@example.invalid>
Depends: adduser, python3-yaml
Description: stand-in for Kibana, for the local landscape only
C
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group -Znone --build "$root" "$deb" > /dev/null
