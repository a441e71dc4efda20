#!/bin/sh
# SPDX-License-Identifier: MIT
# What the built libraries export, and what state they keep.
#
# The archives that others link (src/, sim/): names beginning with uiommu_ only;
# but weak mem* functions, which compilers call on their own, stand in an object
# of their own. The freestanding ones keep no state: nothing writable, nothing in .bss. The preload library
# exports exactly the calls listed in preload/EXPORTS.
. "$(dirname "$0")/lib.sh"

cd "$build" || exit 1
archives=$(find src sim -name '*.a' 2>/dev/null)
[ -n "$archives" ] || skip "no library is built in $build"
wrong=0
count=0

for a in $archives; do
	# a thin archive names its members relative to itself
	out=$(cd "$(dirname "$a")" && nm -A -g --defined-only "$(basename "$a")" | awk -v a="$a" '
		{ obj = $1; sub(/:[0-9a-f]*$/, "", obj); type = $(NF - 1); name = $NF }
		{ n++; all[obj]++ }
		name ~ /^mem(cpy|set|move|cmp)$/ && type ~ /^[WV]$/ { weak[obj]++; next }
		name !~ /^uiommu_/ { print a ": exports " name " (" type ")" }
		END {
			for (o in weak)
				if (weak[o] != all[o])
					print a ": weak mem* share an object with others: " o
			print "count " n
		}')
	count=$((count + $(echo "$out" | sed -n 's/^count //p')))
	out=$(echo "$out" | grep -v '^count ')
	[ -z "$out" ] || { echo "$out"; wrong=$((wrong + 1)); }
done

for a in $(echo "$archives" | grep -E '^src/(core|pt|smmuv3|port)/'); do
	out=$(cd "$(dirname "$a")" && size -A "$(basename "$a")" | awk -v a="$a" '
		/:$|ex / { obj = $1 }
		$1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 {
			print a ": " obj " keeps state: " $2 " bytes of " $1
		}')
	[ -z "$out" ] || { echo "$out"; wrong=$((wrong + 1)); }
done

so=$(find preload -name '*.so' 2>/dev/null | head -n 1)
if [ -n "$so" ]; then
	tmp=${TMPDIR:-/tmp}/house-symbols.$$
	nm -D --defined-only "$so" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u >"$tmp.so"
	sed 's/#.*//;s/[ 	]*$//;/^$/d' "$root/preload/EXPORTS" | sort -u >"$tmp.list"
	calls=$(wc -l <"$tmp.list")
	out=$(diff "$tmp.list" "$tmp.so" | sed -n \
		's/^< /preload\/EXPORTS: listed, not exported: /p;s/^> /preload\/EXPORTS: exported, not listed: /p')
	rm -f "$tmp.so" "$tmp.list"
	[ -z "$out" ] || { echo "$out"; wrong=$((wrong + 1)); }
	echo "$count symbols of $(echo "$archives" | wc -l) libraries, $calls interposed calls"
else
	echo "$count symbols of $(echo "$archives" | wc -l) libraries"
fi
finish "$wrong" "libraries break the rule"
