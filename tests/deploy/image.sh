#!/usr/bin/env bash
# Builds the image of deploy/Containerfile without a registry, and runs it as a cluster would: as nobody, without a shell's
# help, on a root that cannot be written. `make test-image`; needs root, buildah and debootstrap.
#   BASE_FROM=FOLDER   a root with Python to build on, instead of one that debootstrap makes (kept in .data/image)
#   BUILD_OPTIONS=…    further options of `buildah build`, such as volumes with certificates of a proxy
set -euo pipefail
cd "$(dirname "$0")/../.."
say() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }
store=(--storage-driver vfs --root "$PWD/.data/image/store" --runroot "$PWD/.data/image/run")
base=${BASE_FROM:-$PWD/.data/image/base}

if [[ ! -e $base/usr/bin/python3 ]]; then
  say 'a base: Debian with Python 3.11'
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$base" >/dev/null
  ln -sf python3 "$base/usr/bin/python"
fi

say 'the image'
scratch=$(buildah "${store[@]}" from scratch)
buildah "${store[@]}" copy --quiet "$scratch" "$base" / >/dev/null
buildah "${store[@]}" commit --quiet --rm "$scratch" localhost/base >/dev/null
# shellcheck disable=SC2086 # several options
buildah "${store[@]}" build --quiet --isolation chroot --format docker --build-arg BASE=localhost/base ${BUILD_OPTIONS:-} \
  -f deploy/Containerfile -t localhost/watchofficer . >/dev/null

say 'what it says of itself'
buildah "${store[@]}" inspect --type image localhost/watchofficer | .venv/bin/python -c '
import json, sys
docker = json.load(sys.stdin)["Docker"]["config"]
assert docker["User"] == "65532:65532", docker["User"]
assert docker["Entrypoint"] == ["watchofficer"] and docker["Cmd"] == ["run"], docker
assert docker["Healthcheck"]["Test"] == ["CMD", "watchofficer", "health"], docker
print(*docker["Entrypoint"], *docker["Cmd"], "as", docker["User"])
'

container=$(buildah "${store[@]}" from localhost/watchofficer)
export root
root=$(buildah "${store[@]}" mount "$container")
leave() {
  buildah "${store[@]}" umount "$container" >/dev/null
  buildah "${store[@]}" rm "$container" >/dev/null
}
trap leave EXIT
du -sh "$root/opt/watchofficer" | cut -f1

# Mounts of its own: a root to read, and /tmp to write.
inside() {
  unshare --mount --pid --fork -- bash -euc '
    mount --make-rprivate / && mount --bind "$root" "$root" && mount -o remount,bind,ro "$root"
    mount -t tmpfs none "$root/tmp" && mount -t proc none "$root/proc" && mount --rbind /dev "$root/dev"
    exec env -i PATH=/opt/watchofficer/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 HOME=/tmp \
      /usr/sbin/chroot --userspec=65532:65532 "$root" /opt/watchofficer/bin/python - "$@"
  ' inside "$@"
}

say 'nothing can be written but /tmp, and there is no pip'
inside <<'PYTHON'
import importlib.util, os, subprocess
assert os.getuid() == os.getgid() == 65532
for folder in ("/", "/opt/watchofficer", "/etc", "/var"):
    try:
        open(os.path.join(folder, "written"), "w")
    except OSError as error:
        print(folder, error.strerror)
    else:
        raise SystemExit(f"{folder} can be written")
assert importlib.util.find_spec("pip") is None
subprocess.run(["watchofficer", "--version"], check=True)
PYTHON

say 'a whole demo, asked for its health meanwhile'
inside <<'PYTHON'
import os, subprocess, time
port = "6166"
demo = subprocess.Popen(["watchofficer", "demo", "--once", "--port", port], cwd="/tmp")
healthy = 0
while demo.poll() is None:
    asked = subprocess.run(["watchofficer", "health"], env={**os.environ, "WATCHOFFICER_PORT": port}, capture_output=True)
    healthy += asked.returncode == 0
    time.sleep(5)
print(f"healthy {healthy} times")
raise SystemExit(demo.returncode or (0 if healthy else "it was never healthy"))
PYTHON
say 'done'
