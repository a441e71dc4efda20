# SPDX-License-Identifier: MIT
# docs.awk - looks at the function declarations of headers

function bad(text) {
	printf "%s:%d: %s %s\n", FILENAME, at, fn, text
	undocumented[FILENAME " " fn] = 1
}

function param_name(p) {
	if (match(p, /\(\*[a-z_0-9]+\)/))
		return substr(p, RSTART + 2, RLENGTH - 3)
	sub(/\[.*/, "", p)
	sub(/[ \t]+$/, "", p)
	if (match(p, /[a-zA-Z_0-9]+$/))
		return substr(p, RSTART)
	return ""
}

function split_params(list,   i, c, depth, cur) {
	np = 0; depth = 0; cur = ""
	for (i = 1; i <= length(list); i++) {
		c = substr(list, i, 1)
		if (c == "(") depth++
		if (c == ")") depth--
		if (c == "," && !depth) { params[++np] = cur; cur = ""; continue }
		cur = cur c
	}
	params[++np] = cur
}

# @d: one whole declaration, white space squeezed
function declaration(d,   head, list, i, p) {
	if (d ~ /^typedef |^extern "C"/ || d !~ /uiommu_[a-z0-9_]+ *\(/)
		return
	match(d, /uiommu_[a-z0-9_]+ *\(/)
	fn = substr(d, RSTART, RLENGTH); sub(/ *\(/, "", fn)
	head = substr(d, 1, RSTART - 1)
	if (head == "" || head ~ /=|\(/)
		return
	list = substr(d, RSTART + RLENGTH)
	sub(/\)[^)]*$/, "", list)
	nfn++
	if (index(doc, " " fn "() - ") == 0) {
		bad("has no kernel-doc comment above it")
		return
	}
	if (doc !~ /\n[ \t]*\*[ \t]*Context:/)
		bad("has no Context line")
	if (head !~ /^(static inline )?void $/ && doc !~ /\n[ \t]*\*[ \t]*Returns?:/)
		bad("has no Return line")
	split_params(list)
	for (i = 1; i <= np; i++) {
		p = param_name(params[i])
		if (p != "" && p != "void" && doc !~ ("@" p "[:,]"))
			bad("does not say what @" p " is")
	}
}

function without_comments(s,   a, b) {
	while ((a = index(s, "/*")) > 0) {
		b = index(substr(s, a), "*/")
		if (!b) {
			inc = 1; comment = ""
			return substr(s, 1, a - 1)
		}
		s = substr(s, 1, a - 1) substr(s, a + b + 1)
	}
	return s
}

FNR == 1 { depth = 0; decl = ""; doc = ""; comment = ""; inc = 0; cont = 0 }
# comments; a kernel-doc one is kept for the declaration under it
inc {
	comment = comment "\n" $0
	if ($0 ~ /\*\//) { inc = 0; if (comment ~ /^[ \t]*\/\*\*/) doc = comment }
	next
}
/^[ \t]*\/\*/ && decl == "" {
	comment = $0
	if ($0 !~ /\*\//) inc = 1
	else if ($0 ~ /^[ \t]*\/\*\*/) doc = $0
	next
}
/^[ \t]*#/ || cont { cont = /\\$/; if (decl == "") doc = ""; next }
{
	line = without_comments($0)
	if (line ~ /^[ \t]*$/ && decl == "") { next }
	if (decl == "") at = FNR
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (c == "{") {
			if (!depth++) { gsub(/[ \t]+/, " ", decl); isfn = decl ~ /\)[^()]*$/
				if (isfn) declaration(decl) }
			continue
		}
		if (c == "}") {
			if (!--depth) { decl = isfn ? "" : "struct"; if (isfn) doc = ""; isfn = 0 }
			continue
		}
		if (depth) continue
		if (c == ";") {
			gsub(/[ \t]+/, " ", decl); sub(/^ /, "", decl)
			declaration(decl)
			decl = ""; doc = ""
			continue
		}
		decl = decl c
	}
	if (decl != "") decl = decl " "
	if (decl ~ /^ *$/) decl = ""
}
END {
	for (i in undocumented) n++
	printf "%d public functions, %d not fully documented\n", nfn, n
	exit n > 0 || nfn == 0
}
