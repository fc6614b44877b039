#!/usr/bin/env bash
# Make sure that the registry holds the image of this source, and say which one it is.
#
#   build_image.sh [ENV_FILE]      writes IMAGE_URI, IMAGE_TAG and IMAGE_DIGEST to ENV_FILE (image.env)
#
# REPOSITORY_URI, REPOSITORY_NAME and ARCHITECTURE (x86_64 or arm64) must be set, as the pipeline does;
# BASE_IMAGE may name another base than the Dockerfile does.
#
# The tag is the content hash (content_hash.py says what goes in). An image that exists already was tested
# when it was built, so nothing is built again; every environment runs the same digest.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '%s\n' "$*"; }
die() {
  printf 'Build stopped: %s\n' "$*" >&2
  exit 1
}

[[ -n ${REPOSITORY_URI:-} && -n ${REPOSITORY_NAME:-} ]] || die "set REPOSITORY_URI and REPOSITORY_NAME."
case ${ARCHITECTURE:-} in
  x86_64) platform=linux/amd64 ;;
  arm64) platform=linux/arm64 ;;
  *) die "set ARCHITECTURE to x86_64 or arm64, not '${ARCHITECTURE:-}'." ;;
esac
env_file=${1:-image.env}
report=app/reports/junit.xml
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# The base image with its digest: as the Dockerfile pins it, or else what its tag means today.
resolve_base() {
  local base=${BASE_IMAGE:-} digest=
  [[ -n $base ]] || base=$(sed -n 's/^ARG BASE_IMAGE=//p' app/Dockerfile)
  [[ -n $base ]] || die "app/Dockerfile has no line 'ARG BASE_IMAGE=...'."
  if [[ $base != *@sha256:* ]]; then
    # Public registries refuse a request now and then.
    for pause in 2 5 0; do
      digest=$(docker buildx imagetools inspect "$base" --format '{{.Manifest.Digest}}') && break
      sleep "$pause"
    done
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "the digest of $base could not be looked up."
    base+="@$digest"
  fi
  printf '%s' "$base"
}

# The digest that a tag has in the registry; nothing where the tag does not exist.
digest_of() {
  local digest
  if digest=$(aws ecr describe-images --repository-name "$REPOSITORY_NAME" --image-ids "imageTag=$1" \
    --query 'imageDetails[0].imageDigest' --output text 2>"$errors"); then
    # An empty list is "None" to the command, and no image to us.
    [[ $digest != None ]] || return 0
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "ECR gave '$digest' as the digest of tag $1."
    printf '%s' "$digest"
  elif ! grep -q ImageNotFoundException "$errors"; then
    cat "$errors" >&2
    die "the registry could not be asked for tag $1."
  fi
}

run_tests() {
  local image="unit-tests:$version" container="unit-tests-$version-$$" status=0
  mkdir -p "${report%/*}"
  rm -f "$report"
  docker buildx build --load --platform "$platform" --provenance=false --sbom=false \
    --build-arg "BASE_IMAGE=$base" --target test --tag "$image" app
  docker run --name "$container" "$image" || status=$?
  # Copied out, not mounted: it works for any user inside and any Docker host.
  if ! docker cp "$container:/app/reports/junit.xml" "$report"; then
    say "The tests left no report."
    ((status)) || status=1
  fi
  docker rm --force "$container" >/dev/null
  ((status == 0)) || die "the tests failed."
}

# A report that is declared in the buildspec must exist; this one says why there is nothing to report.
report_skipped() {
  mkdir -p "${report%/*}"
  cat >"$report" <<XML
<?xml version="1.0" encoding="utf-8"?>
<testsuites>
  <testsuite name="unit tests" tests="1" failures="0" errors="0" skipped="1" time="0">
    <testcase name="version $version was tested when its image was built" classname="unit tests" time="0">
      <skipped message="the image exists already"/>
    </testcase>
  </testsuite>
</testsuites>
XML
}

# Attestations would make the image an index, which ECR's scanner may refuse.
build_and_push() {
  aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY_URI%%/*}" &&
    docker buildx build --push --platform "$platform" --provenance=false --sbom=false \
      --build-arg "BASE_IMAGE=$base" --target service \
      --label "org.opencontainers.image.version=$version" \
      --label "org.opencontainers.image.revision=${CODEBUILD_RESOLVED_SOURCE_VERSION:-unknown}" \
      --label "org.opencontainers.image.base.name=${base%@*}" \
      --label "org.opencontainers.image.base.digest=${base#*@}" \
      --tag "$REPOSITORY_URI:$version" app
}

base=$(resolve_base)
version=$(python3 config/scripts/content_hash.py app --architecture "$ARCHITECTURE" --base "$base")
say "Version $version, $ARCHITECTURE, on $base"

digest=$(digest_of "$version")
if [[ -n $digest ]]; then
  say "The image exists already: nothing to build."
  report_skipped
else
  say "Testing..."
  run_tests
  say "Building..."
  pushed=yes
  build_and_push || pushed=no
  # Tags cannot be overwritten, so the tag says what was released, whoever pushed it.
  for pause in 1 2 4 0; do
    digest=$(digest_of "$version")
    [[ -z $digest ]] || break
    sleep "$pause"
  done
  [[ -n $digest ]] || die "the image could not be built and pushed."
  [[ $pushed == yes ]] || say "Another build pushed this version first: using its image."
fi

cat >"$env_file" <<ENV
export IMAGE_URI=$REPOSITORY_URI@$digest
export IMAGE_TAG=$version
export IMAGE_DIGEST=$digest
ENV
say "Image $REPOSITORY_URI@$digest"
