# SPDX-License-Identifier: GPL-3.0-or-later
# Lays packages out as the vendor's signed APT repository. usage: repository.sh FOLDER KEYS SERIES DEB...
set -euo pipefail
folder=$1 keys=$2 series=$3
shift 3
export GNUPGHOME=$keys

if [ ! -d "$keys" ]; then
  install -d -m 0700 "$keys"
  gpg --batch --quiet --passphrase '' --quick-generate-key 'Local package mirror' rsa3072 sign never
fi
gpg --batch --quiet --with-colons --list-keys 2> /dev/null | sed -n 's/^fpr:*\(.*\):/\1/p' > "$folder/fingerprint"
gpg --batch --armor --export > "$folder/GPG-KEY-elasticsearch"

apt=$folder/packages/$series/apt
release=dists/stable/main/binary-$(dpkg --print-architecture)
for deb in "$@"; do
  name=$(dpkg-deb --field "$deb" Package)
  mkdir -p "$apt/pool/main/${name::1}/$name"
  ln -f "$deb" "$apt/pool/main/${name::1}/$name/$name.deb"
done
cd "$apt"
mkdir -p "$release"
apt-ftparchive packages pool > "$release/Packages"
apt-ftparchive -o APT::FTPArchive::Release::Origin=elastic -o APT::FTPArchive::Release::Suite=stable \
  -o APT::FTPArchive::Release::Codename=stable -o APT::FTPArchive::Release::Components=main \
  -o APT::FTPArchive::Release::Architectures="$(dpkg --print-architecture)" release dists/stable > "$folder/Release"
mv "$folder/Release" dists/stable/Release
gpg --batch --quiet --yes --clearsign --output dists/stable/InRelease dists/stable/Release
gpgconf --kill all
