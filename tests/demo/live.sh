#!/bin/sh
# SPDX-License-Identifier: MIT
# live.sh UIOMMU PROG - a run looked at from outside, and a dump of it: the same
# answers from both, and the program goes on
set -eu
. "$(dirname "$0")/common.sh"
uiommu=$1 prog=$2

start() {
	rm -f "$work/in" "$work/said"
	mkfifo "$work/in"
	"$uiommu" run --quiet -- "$prog" waits <"$work/in" >"$work/said" 2>"$work/complaints" &
	server=$!
	exec 7>"$work/in"
	n=0
	until grep -qs ready "$work/said" || [ $n -gt 1500 ]; do
		sleep 0.02
		n=$((n + 1))
	done
	program=$(sed -n 's/^ready //p' "$work/said")
}

finish() {
	exec 7>&-
	wait "$server" && got=0 || got=$?
	[ $got -eq 0 ] || fail "the program exited with $got: $(cat "$work/complaints")"
}

start
want 0 "$uiommu" show --live
says out '    |-- 0000:01:00.0 edu@0,0: StreamID 0x40, group 0'
says out '    |   |-- RID -> IOAS 2 HWPT 4 (PAGING), ASID 2'
says out '    |   `-- PASID 0x11 -> IOAS 3 HWPT 5 (PAGING), ASID 1'
says out '        `-- RID -> IOAS 2 HWPT 3 (PAGING), ASID 3; 1 fault'
says out 'note: StreamID 0x140 of iommu@2b400000: 1 fault, the last: F_TRANSLATION: 0000:02:00.0'
cp "$work/out" "$work/tree"
want 0 "$uiommu" show "--live=$program"
cmp "$work/out" "$work/tree" || fail "the program's number leads elsewhere"
want 0 "$uiommu" show "--live=$server" --json
json '.attaches | length' 3
json '.attaches[] | select(.pasid == 17) | .domain as $d | "\(.asid) \($d)"' '1 1'
json '[.attaches[].faults] | add' 1
json '.devices[] | select(.group == 1) | .sid' 0x140
want 0 "$uiommu" show --live --dot
says out 'label="RID, ASID 3; 1 fault"'
want 125 "$uiommu" show --live=1
says err "1 is no \`uiommu run' of yours, nor its program; there are:"
says err "$server (its program is $program)"

want 0 "$uiommu" walk --live --device 02:00.0 --iova 0x40001008 --write
says out "L1STD: entry 0x1 of the stream table"
says out "output: the DMA goes to 0x8000"
cp "$work/out" "$work/walked"
want 1 "$uiommu" walk --live --sid 0x140 --iova 0x30000000
says out "StreamID  0x140: 0000:02:00.0 (edu@0,0) behind /iommu@2b400000"
says out "To blame: bit 0 (valid) of the level"
want 1 "$uiommu" walk --live --device 0000:01:00.0 --pasid 0x11 --iova 0x40000000
says out "PASID     0x11"
want 1 "$uiommu" walk --live --device 0000:01:00.0 --pasid 0x12 --iova 0x40000000
says out "C_BAD_CD"
want 125 "$uiommu" walk --live --device 07:00.0 --iova 0
says err "there is no device 07:00.0"
want 125 "$uiommu" walk --live --smmu 3 --sid 0 --iova 0
says err "there is no SMMU 3"

want 0 "$uiommu" dump -o "$work/all" "$program"
says err "16 KiB of the program's pages."
want 0 "$uiommu" dump --tables -o "$work/tables"
[ "$(stat -c %a "$work/all")" = 600 ] || fail "others may read the dump"
want 125 "$uiommu" dump -o "$work/none/all"
says err "No such file or directory"

# a second run: which one has to be said
first=$server first_program=$program
exec 8>&7
start
want 125 "$uiommu" show --live
says err "there are several runs; say which:"
says err "$first (its program is $first_program)"
want 0 "$uiommu" walk "--live=$first" --device 02:00.0 --iova 0x40001008 --write
cmp "$work/out" "$work/walked" || fail "another run answers"
# one that is stopped is told, and does not stop us
kill -STOP "$server"
want 125 "$uiommu" walk "--live=$server" --sid 0 --iova 0
says err "of yours did not answer within 5 seconds: stopped, or in a debugger?"
kill -CONT "$server"
finish
server=$first
exec 7>&8 8>&-
finish

# afterwards
want 125 "$uiommu" show --live
says err "there is no \`uiommu run' of yours that answers"
for dump in all tables; do
	want 0 "$uiommu" show "$work/$dump"
	cmp "$work/out" "$work/tree" || fail "the dump shows something else"
	want 0 "$uiommu" walk --dump "$work/$dump" --device 02:00.0 --iova 0x40001008 --write
	cmp "$work/out" "$work/walked" || fail "the dump is walked to another end"
done
want 1 "$uiommu" walk --dump "$work/all" --sid 0x140 --iova 0x30000000
head -c 100000 "$work/all" >"$work/short"
want 125 "$uiommu" walk --dump "$work/short" --sid 0x140 --iova 0
says err "its program headers are not all there: it was cut short"
want 125 "$uiommu" walk --dump "$uiommu" --sid 0x140 --iova 0
says err "it is an ELF file, but no core"
if command -v readelf >/dev/null; then
	want 0 readelf -lW "$work/all"
	says out "CORE (Core file)"
fi
nothing_left "the live run"
exit $failed
