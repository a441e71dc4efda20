#!/bin/sh
# SPDX-License-Identifier: MIT
# No function is longer than 100 lines, and no line than 100 columns.
. "$(dirname "$0")/lib.sh"

cd "$root" || exit 1
c_files | grep -v -E '^tests/' | xargs awk '
	FNR == 1 { open = 0 }
	/^[a-zA-Z_].*\(/ { head = FNR; name = $0 }
	/^{/ { open = FNR }
	/^}/ && open {
		n = FNR - open - 1
		total++; long50 += n > 50; short += n < 10
		if (n > 100) {
			printf "%s:%d: %d lines: %s\n", FILENAME, head, n, name
			wrong++
		}
		open = 0
	}
	{
		line = $0; col = 0
		while ((i = index(line, "\t")) > 0) {
			col += i - 1; col += 8 - col % 8; line = substr(line, i + 1)
		}
		if (col + length(line) > 100) {
			printf "%s:%d: %d columns\n", FILENAME, FNR, col + length(line)
			wrong++
		}
	}
	END {
		printf "%d functions: %d under 10 lines, %d over 50\n", total, short, long50
		exit wrong > 0
	}'
