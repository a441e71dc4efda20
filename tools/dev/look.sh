#!/bin/bash
# SPDX-License-Identifier: MIT
#
# look.sh - ./dev look: the pages of `uiommu show --html' in a headless Chromium
#
# Installs chromium and graphviz (large, therefore no part of ./dev test). What was
# seen stays in build/look as pictures. Exit: 0, 1, or 77 after one sentence.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1

log=$( (need look) 2>&1) || { printf '%s\n' "$log"; exit 77; }
build_run tests/demo/prog
uiommu=build/release/tools/uiommu/uiommu dir=build/look failed=0
rm -rf "$dir"
mkdir -p "$dir"

# look NAME OPTION...: one page
look() {
	local name=$1

	shift
	say "$name"
	"$uiommu" show --html "$@" >"$dir/$name.html"
	[ $? -le 1 ] && python3 tools/dev/look.py "$(command -v chromium)" "$dir/$name.html" "$dir/$name" ||
		failed=1
}

look default machine/default.dts
look two-segments tests/tool/data/two-segments.dts
look qemu-iort tests/tool/data/qemu-virt-iort.bin

mkfifo "$dir/in"
export TMPDIR=$top/$dir
"$uiommu" run --quiet -- build/release/tests/demo/prog waits <"$dir/in" >"$dir/said" &
exec 7>"$dir/in"
until grep -q ready "$dir/said" || ! kill -0 $! 2>/dev/null; do
	sleep 0.1
done
look live --live
exec 7>&-
wait $! || failed=1
rm "$dir/in" "$dir/said"
echo "pictures: $(ls "$dir"/*.png | wc -l) in $dir"
exit $failed
