# SPDX-License-Identifier: GPL-3.0-or-later
# Packs the stand-in for Logstash as the vendor's package lays Logstash out. usage: deb.sh SOURCE KCL_JARS DEB
set -euo pipefail
here=$(dirname "$0") source=$1 jars=$2 deb=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
home=$root/usr/share/logstash

install -d "$root"/{DEBIAN,etc/logstash/conf.d,usr/lib/systemd/system,var/l{ib,og}/logstash} "$home"/{bin,lib,kcl,data}
uv pip install --quiet --python-version 3.13 --target "$home/lib" --requirements "$source/requirements.txt"
cp -r "$source/logstash_standin" "$home/lib/"
find "$home/lib" -name __pycache__ -prune -exec rm -r {} +
cp "$jars"/*.jar "$home/kcl/"
for command in logstash:cli logstash-keystore:keystore logstash-plugin:plugin_manager; do
  printf '#!/bin/sh\nPYTHONPATH=/usr/share/logstash/lib exec python3 -m logstash_standin.%s "$@"\n' "${command#*:}" \
    > "$home/bin/${command%:*}"
done
chmod 0755 "$home"/bin/*

printf 'path.data: /var/lib/logstash\npath.logs: /var/log/logstash\n' > "$root/etc/logstash/logstash.yml"
printf -- '- pipeline.id: main\n  path.config: /etc/logstash/conf.d/*.conf\n' > "$root/etc/logstash/pipelines.yml"
# The vendor's files that the stand-in has no use for, so that what edits them finds them.
touch "$root"/etc/logstash/{jvm.options,log4j2.properties,startup.options}
install -m 0644 "$here/logstash.service" "$root/usr/lib/systemd/system/"

{ echo '#!/bin/sh'; cat "$here/postinst"; } > "$root/DEBIAN/postinst"
chmod 0755 "$root/DEBIAN/postinst"
find "$root/etc" -type f -printf '/etc/%P\n' > "$root/DEBIAN/conffiles"
cat > "$root/DEBIAN/control" <<C
Package: logstash
Version: 1:9.4.3-1
Architecture: all
Maintainer: Simple Analytics contributors <noreply@example.invalid>
Depends: adduser, openjdk-21-jre-headless, python3-boto3, python3-urllib3, python3-yaml, ruby, ruby-aws-sdk-core, ruby-aws-sigv4
Description: stand-in for Logstash, for the local landscape only
C
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group -Znone --build "$root" "$deb" > /dev/null
