#!/usr/bin/env bash
# Test, build and push the image of this source, unless it is in the registry already.
#
#   build_image.sh [ENV_FILE]      writes the variables IMAGE_... to ENV_FILE (default: image.env)
#   build_image.sh --no-push       only tests and builds it, without the registry: for pull requests
#
# Requires ARCHITECTURE (x86_64 or arm64) and, to push, REPOSITORY_URI and REPOSITORY_NAME, which the pipeline sets.
# BASE_IMAGE sets the build argument of this name.
#
# The tag is the content hash (see content_hash.py). An existing image was tested when it was built, so it is
# not built again; every environment runs the same digest. What the Dockerfile needs is in contract.py.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '%s\n' "$*"; }
warn() { printf 'Warning: %s\n' "$*" >&2; }
die() {
  printf 'Build stopped: %s\n' "$*" >&2
  exit 1
}

push=yes
[[ ${1:-} != --no-push ]] || push=no
[[ $push == no || (-n ${REPOSITORY_URI:-} && -n ${REPOSITORY_NAME:-}) ]] || die "set REPOSITORY_URI and REPOSITORY_NAME."
case ${ARCHITECTURE:-} in
  x86_64) platform=linux/amd64 ;;
  arm64) platform=linux/arm64 ;;
  *) die "set ARCHITECTURE to x86_64 or arm64, not '${ARCHITECTURE:-}'." ;;
esac
env_file=${1:-image.env}
report=app/reports/junit.xml
work=$(mktemp -d)
errors=$work/errors

# The report gets into app/ at the end only: app/ is the build context.
finish() {
  if [[ -f $work/junit.xml ]]; then
    mkdir -p "${report%/*}"
    python3 config/scripts/group_tests.py "$work/junit.xml" || warn "cannot group the tests of the report."
    mv -f "$work/junit.xml" "$report"
  fi
  rm -rf "$work"
}
trap finish EXIT

# Requests to public registries fail now and then.
retry() {
  local pause
  for pause in 2 5; do
    "$@" && return
    sleep "$pause"
  done
  "$@"
}

dockerfile() { python3 config/scripts/parse_dockerfile.py "$1" app/Dockerfile --platform "$platform" "${arguments[@]}"; }

# Anonymous clients may pull once a second from an address, and CodeBuild's addresses are shared.
sign_in_to_public_registry() {
  local password
  # Only the partition aws has this registry.
  case ${AWS_REGION:-} in us-gov-* | cn-* | *-iso*) return ;; esac
  { password=$(aws ecr-public get-login-password --region us-east-1) &&
    docker login --username AWS --password-stdin public.ecr.aws <<<"$password" >/dev/null; } ||
    warn "cannot sign in to public.ecr.aws, pulling without."
}

# Resolve the digest of every image that the Dockerfile names, into $pinned, and replace the names during builds.
pin_images() {
  local image digest
  for image in $images; do
    if [[ $image != *@sha256:* ]]; then
      digest=$(retry docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}') || true
      [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "cannot resolve the digest of $image."
      contexts+=(--build-context "$image=docker-image://$image@$digest")
      [[ $image != "$base" ]] || base+="@$digest"
      image+="@$digest"
    fi
    pinned+=("$image")
  done
}

# Before the builds, which then use the local images: a failed pull is repeated, a failed RUN is not.
pull_images() {
  local image
  for image in "${pinned[@]}"; do
    retry docker pull --quiet --platform "$platform" "$image" || warn "cannot pull $image, the build tries again."
  done
}

build() { # OPTION...
  docker buildx build "$@" --platform "$platform" --provenance=false --sbom=false \
    "${arguments[@]}" "${contexts[@]}" app
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
  build --target test --load --tag "$image"
  docker run --name "$container" "$image" || status=$?
  # Copied, not mounted: this works with any user in the container and any Docker host.
  if ! docker cp "$container:/app/reports/junit.xml" "$work/junit.xml"; then
    say "The tests wrote no report."
    ((status)) || status=1
  fi
  docker rm --force "$container" >/dev/null
  ((status == 0)) || die "the tests failed."
}

test_image() {
  pull_images
  if grep -qx test <<<"$stages"; then
    say "Testing..."
    run_tests
  else
    report_skipped "app/Dockerfile says: tests: none" "there is no stage test"
  fi
}

# CodeBuild requires the report that the buildspec declares; this one says why no tests ran.
report_skipped() { # NAME REASON
  cat >"$work/junit.xml" <<XML
<?xml version="1.0" encoding="utf-8"?>
<testsuites>
  <testsuite name="unit tests" tests="1" failures="0" errors="0" skipped="1" time="0">
    <testcase name="$1" classname="unit tests" time="0">
      <skipped message="$2"/>
    </testcase>
  </testsuite>
</testsuites>
XML
}

# Without attestations: they turn the image into an image index, which ECR may not be able to scan.
build_and_push() {
  local labels=(
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.revision=${CODEBUILD_RESOLVED_SOURCE_VERSION:-unknown}"
  )
  [[ -z $base ]] || labels+=(
    --label "org.opencontainers.image.base.name=${base%@*}"
    --label "org.opencontainers.image.base.digest=${base#*@}"
  )
  aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY_URI%%/*}" &&
    build "${released[@]}" --push "${labels[@]}" --tag "$REPOSITORY_URI:$version"
}

problem=$(python3 config/scripts/contract.py 2>&1) || die "$problem"
rm -f "$report"
arguments=() contexts=() pinned=() released=()
[[ -z ${BASE_IMAGE:-} ]] || arguments+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
stages=$(dockerfile stages)
images=$(dockerfile images)
base=$(dockerfile base)
# Without this stage, the last one is released.
if grep -qx service <<<"$stages"; then
  released=(--target service)
fi
if grep -q '^public\.ecr\.aws/' <<<"$images"; then
  sign_in_to_public_registry
fi
pin_images
version=$(python3 config/scripts/content_hash.py app --architecture "$ARCHITECTURE" "${pinned[@]/#/--base=}")
say "Version $version, $ARCHITECTURE, on ${pinned[*]:-no other image}"

if [[ $push == no ]]; then
  test_image
  say "Building..."
  build "${released[@]}" --load --tag "not-pushed:$version" || die "cannot build the image."
  exit
fi

digest=$(digest_of "$version")
pushed=no
if [[ -n $digest ]]; then
  say "The image exists already, nothing to build."
  report_skipped "version $version was tested when its image was built" "the image exists already"
else
  test_image
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
export IMAGE_BUILT=$pushed
export IMAGE_BASES=$(printf %q "${pinned[*]}")
ENV
say "Image $REPOSITORY_URI@$digest"
