#!/bin/sh
# SPDX-License-Identifier: MIT
# queue.sh TOOL PROGRAM MACHINE: command queues in a program's hands
set -u
. "$(dirname "$0")/common.sh"
runs() {
	want 0 "$@"
	says out "what was not handed out is not mapped"
	says out "what is mapped cannot be destroyed"
	says out "what the guest invalidates by its own queue is gone"
	says out "registers are no memory for a device"
	says out "a child invalidates through what it inherited"
	says out "a command that it may not give stops it, and it is told"
	says out "a mapping outlives the file"
	nothing_left "$*"
}
runs "$1" run --quiet --machine "$3" -- "$2"
runs "$1" run --quiet --no-io-uring --machine "$3" -- "$2"
runs "$1" run --quiet --machine "${3%.dts}-unkind.dts" -- "$2"
exit $failed
