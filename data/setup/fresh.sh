#!/usr/bin/env bash
# Run README's commands on bare Debian systems, as a new user of each would: `make fresh`, as root.
#
# FRESH=demo|test        the command to try (demo)
# FRESH_SYSTEMS="..."    Debian's names of the systems (bookworm trixie; forky for Python 3.14)
# FRESH_CACHE=folder     where the bare systems and the logs are kept
# DEBIAN_MIRROR=address  where Debian's packages come from (the mirror of this machine's own apt)
# TORCH_INDEX=address    passed on to make there
#
# Each system is a folder that debootstrap fills once and that is unpacked anew for every run. Nothing of this machine is
# seen in it but the network, its certificates and the processor: no wheels, no pip settings, no environment, no cache.
set -euo pipefail

command=${FRESH:-demo}
cache=${FRESH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/egao-fresh}
here=$(cd "$(dirname "$0")/../.." && pwd)
list=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null || true)
own_mirror=$(grep -oE 'https?://[^ ]+/debian/?( |$)' <<< "$list" | head -n 1 | tr -d ' ' || true)
mirror=${DEBIAN_MIRROR:-${own_mirror:-http://deb.debian.org/debian}}

say() { echo "fresh: $*"; }
give_up() { echo "fresh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || give_up "root is needed to enter another system: sudo make fresh"
[ "$command" = demo ] || [ "$command" = test ] || give_up "FRESH is demo or test"
command -v debootstrap > /dev/null || give_up "debootstrap is needed: apt-get install debootstrap"
# Mounts of a mount namespace end with it, however this script ends: nothing of /dev can be removed by mistake later.
[ -n "${FRESH_APART:-}" ] || exec unshare --mount --propagation private env FRESH_APART=1 "$0"

# What README tells a new user to type: first the line for root, then the command.
install_line=$(grep -m 1 -oE 'apt-get install [a-z0-9. -]+' "$here/README.md") || give_up "README has no line for apt-get"
grep -qE "^make $command( |$)" "$here/README.md" || give_up "README does not say: make $command"

step() { # step NAME COMMAND...: run, print how long it took, keep what it printed; its own lines that begin with egao: are shown
  local name=$1 began=$SECONDS status=0
  shift
  "$@" >> "$log" 2>&1 < /dev/null || status=$?
  say "$system: $name: $([ $status = 0 ] && echo done || echo "FAILED ($status)"), $((SECONDS - began)) s"
  return $status
}

bare_system() {
  [ -e "$cache/$system.tar" ] && return
  rm -rf "$cache/$system.new"
  # An older debootstrap does not know the newest system's name; sid's steps are those of every system of today.
  local script=/usr/share/debootstrap/scripts/$system
  [ -e "$script" ] || script=${script%/*}/sid
  debootstrap --variant=minbase --include=ca-certificates "$system" "$cache/$system.new" "$mirror" "$script"
  tar -C "$cache/$system.new" -cf "$cache/$system.tar.part" . && mv "$cache/$system.tar.part" "$cache/$system.tar"
  rm -rf "$cache/$system.new"
}

unpack() {
  rm -rf --one-file-system "$root"
  mkdir -p "$root" && tar -C "$root" -xf "$cache/$system.tar"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  # The mirror may be a snapshot, whose lists of packages have expired.
  printf 'APT::Install-Recommends "1";\nAPT::Sandbox::User "root";\nAcquire::Check-Valid-Until "0";\n' \
    > "$root/etc/apt/apt.conf.d/90fresh"
  chroot "$root" useradd --create-home --shell /bin/bash newcomer
  git -C "$here" bundle create -q "$root/home/newcomer/egao.bundle" HEAD
}

as_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -c "$1"; }

as_newcomer() {
  chroot --userspec=newcomer:newcomer "$root" env -i HOME=/home/newcomer USER=newcomer PATH=/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 PIP_CERT=/etc/ssl/certs/ca-certificates.crt ${TORCH_INDEX:+TORCH_INDEX="$TORCH_INDEX"} bash -c "cd ~ && $1"
}

try_system() {
  root=$cache/$system log=$cache/$system-$command.log
  mkdir -p "$cache"
  : > "$log"
  step "bare system" bare_system \
    && step "unpacked" unpack \
    && step "$install_line" as_root "apt-get update -qq && ${install_line/install/install -y -qq}" \
    && step "git clone" as_newcomer "git clone -q egao.bundle egao" \
    && step "make $command" as_newcomer "cd egao && make $command" \
    && step "make $command again" as_newcomer "cd egao && make $command"
}

failed=0
for system in ${FRESH_SYSTEMS:-bookworm trixie}; do
  if try_system; then result=passed; else result=FAILED failed=1; tail -n 25 "$log"; fi
  grep -aE '^egao: |^[0-9]+ (passed|failed)|^=+ .* in [0-9.]+s' "$log" | sed 's/^/    /' || true
  say "$system: $result ($(as_newcomer 'python3 -V' 2> /dev/null || echo 'no Python')); all that was printed: $log"
done
exit $failed
