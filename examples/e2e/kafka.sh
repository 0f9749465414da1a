#!/usr/bin/env bash
# Brings Apache Kafka's own broker from Maven Central into .tmp/kafka, once, and
# runs the command given with RAILHEAD_KAFKA naming the folder of its jars. Needs
# Java 17 and Maven.
set -euo pipefail

version=4.1.1
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$root/.tmp/kafka/$version

if [ ! -e "$dir/complete" ]; then
  for tool in java mvn; do
    command -v "$tool" >/dev/null || { echo "kafka.sh: needs $tool (Java 17 and Maven)" >&2; exit 1; }
  done
  major=$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p')
  [ "${major:-0}" -ge 17 ] || { echo "kafka.sh: needs Java 17 or newer, not ${major:-an unknown version}" >&2; exit 1; }
  rm -rf "$dir" && mkdir -p "$dir/libs"
  cat >"$dir/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.github.railhead-hub</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
  echo "fetching Apache Kafka $version" >&2
  mvn -B -q -f "$dir/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$dir/libs" >&2
  touch "$dir/complete"
fi

export RAILHEAD_KAFKA=$dir/libs
exec "$@"
