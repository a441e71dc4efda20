# SPDX-License-Identifier: MIT
#
# results.awk - meson's testlog.txt -> one line a case: status, build, test, case, why
#
# A cmocka executable counts case by case, a script that speaks TAP line by
# line, anything else as one. A crash loses the cases after it: it counts as
# one failure.

function emit(status, what, why) {
	gsub(/\t/, " ", why)
	printf "%s\t%s\t%s\t%s\t%s\n", status, build, name, what, why
}

function flush(   i, k, bad) {
	if (name == "")
		return
	if (result ~ /exit status 77/) {
		emit("skip", "", last == "" ? "it printed no reason" : last)
	} else {
		bad = result !~ /exit status 0$/
		for (i = 1; i <= n; i++)
			emit(status[i], what[i], status[i] == "fail" && ++k <= places ? \
				place[k] : why[i])
		if (bad && !failed)
			emit("fail", running, n || last == "" ? result : result ": " last)
		else if (!n)
			emit("pass", "", "")
	}
	name = ""
}

function add(s, w, y) {
	n++
	status[n] = s; what[n] = w; why[n] = y
	failed += s == "fail"
	running = ""
}

/^==+ +[0-9]+\/[0-9]+ +=+$/ {
	flush()
	n = failed = places = 0; result = last = running = before = ""; part = "head"
	next
}
part == "head" && /^test: / { name = $0; sub(/^test: .* \/ /, "", name); next }
part == "head" && /^result: / { result = $0; sub(/^result: */, "", result); next }
/^-+ std(out|err) -+$/ { part = /stdout/ ? "out" : "err"; next }
/^======================================================================+$/ { flush(); part = ""; next }
# cmocka says on stderr where its cases failed, in the order of the cases
/^\[   LINE   \] --- / {
	place[++places] = substr($0, 18); sub(/: error: Failure!.*/, "", place[places]); next
}
part == "out" && /^\[ RUN      \] / { running = substr($0, 14); before = ""; next }
part == "out" && /^\[       OK \] / { add("pass", substr($0, 14), ""); next }
part == "out" && /^\[  FAILED  \] / { add("fail", substr($0, 14), result); next }
part == "out" && /^\[  SKIPPED \] / {
	add("skip", substr($0, 14), before == "" ? "it printed no reason" : before); next
}
part == "out" && /^ok [0-9]+.*# *SKIP/ {
	w = $0; sub(/^ok [0-9]+ *-? */, "", w)
	y = w; sub(/.*# *SKIP */, "", y); sub(/ *#.*/, "", w)
	add("skip", w, y); next
}
part == "out" && /^ok [0-9]+/ { sub(/^ok [0-9]+ *-? */, ""); add("pass", $0, ""); next }
part == "out" && /^(not ok|FAIL) [0-9]+/ {
	sub(/^(not ok|FAIL) [0-9]+ *-? */, ""); add("fail", $0, result); next
}
part != "" && /[^ \t]/ { before = last = $0 }
END { flush() }
