#!/usr/bin/env bash
# Test, build and push the image of this source, unless it is in the registry already.
#
#   build_image.sh [ENV_FILE]      writes IMAGE_URI, IMAGE_TAG and IMAGE_DIGEST to ENV_FILE (default: image.env)
#
# Requires REPOSITORY_URI, REPOSITORY_NAME and ARCHITECTURE (x86_64 or arm64), which the pipeline sets.
# BASE_IMAGE overrides the base image of the Dockerfile.
#
# The tag is the content hash (see content_hash.py). An existing image was tested when it was built, so it is
# not built again; every environment runs the same digest.
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

# The base image with its digest: the one in the Dockerfile, otherwise the current digest of its tag.
resolve_base() {
  local base=${BASE_IMAGE:-} digest=
  [[ -n $base ]] || base=$(sed -n 's/^ARG BASE_IMAGE=//p' app/Dockerfile)
  [[ -n $base ]] || die "app/Dockerfile has no line 'ARG BASE_IMAGE=...'."
  if [[ $base != *@sha256:* ]]; then
    # Requests to public registries fail now and then.
    for pause in 2 5 0; do
      digest=$(docker buildx imagetools inspect "$base" --format '{{.Manifest.Digest}}') && break
      sleep "$pause"
    done
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "cannot resolve the digest of $base."
    base+="@$digest"
  fi
  printf '%s' "$base"
}

# The digest of a tag in the registry; empty if the tag does not exist.
digest_of() {
  local digest
  if digest=$(aws ecr describe-images --repository-name "$REPOSITORY_NAME" --image-ids "imageTag=$1" \
    --query 'imageDetails[0].imageDigest' --output text 2>"$errors"); then
    # The AWS CLI prints "None" for an empty list: there is no such image.
    [[ $digest != None ]] || return 0
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "ECR returned '$digest' as the digest of tag $1."
    printf '%s' "$digest"
  elif ! grep -q ImageNotFoundException "$errors"; then
    cat "$errors" >&2
    die "cannot look up tag $1 in the registry."
  fi
}

run_tests() {
  local image="unit-tests:$version" container="unit-tests-$version-$$" status=0
  mkdir -p "${report%/*}"
  rm -f "$report"
  docker buildx build --load --platform "$platform" --provenance=false --sbom=false \
    --build-arg "BASE_IMAGE=$base" --target test --tag "$image" app
  docker run --name "$container" "$image" || status=$?
  # Copied, not mounted: this works with any user in the container and any Docker host.
  if ! docker cp "$container:/app/reports/junit.xml" "$report"; then
    say "The tests wrote no report."
    ((status)) || status=1
  fi
  docker rm --force "$container" >/dev/null
  ((status == 0)) || die "the tests failed."
}

# CodeBuild requires the report that the buildspec declares; this one says why no tests ran.
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

# Without attestations: they turn the image into an image index, which ECR may not be able to scan.
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
  say "The image exists already, nothing to build."
  report_skipped
else
  say "Testing..."
  run_tests
  say "Building..."
  pushed=yes
  build_and_push || pushed=no
  # Tags are immutable, so the image of this tag is the release, even if another build pushed it.
  for pause in 1 2 4 0; do
    digest=$(digest_of "$version")
    [[ -z $digest ]] || break
    sleep "$pause"
  done
  [[ -n $digest ]] || die "cannot build and push the image."
  [[ $pushed == yes ]] || say "Another build has pushed this version already, using its image."
fi

cat >"$env_file" <<ENV
export IMAGE_URI=$REPOSITORY_URI@$digest
export IMAGE_TAG=$version
export IMAGE_DIGEST=$digest
ENV
say "Image $REPOSITORY_URI@$digest"
