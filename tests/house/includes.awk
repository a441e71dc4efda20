# SPDX-License-Identifier: MIT
# includes.awk - stdin: every header of the checkout; files: the list of those to look at

# folder: what it may include beside itself. The longest matching row counts.
# "." is nothing more, "*" everything but preload.
function table(   i) {
	may["include/"]         = "."
	may["src/port/"]        = "include/"
	may["src/core/"]        = "include/ src/port/"
	may["src/pt/"]          = "include/ src/port/"
	may["src/smmuv3/"]      = "include/ src/port/ src/core/ src/pt/"
	may["src/iommufd/"]     = "include/ src/core/ src/port/"
	may["src/vfio/"]        = "include/ src/core/ src/iommufd/"
	# the register table, and the macros that make masks of it
	may["sim/"]             = "include/ src/smmuv3/regs.def src/smmuv3/fields.h"
	may["host/"]            = "include/"
	may["machine/"]         = "*"
	may["server/"]          = "include/ src/iommufd/ src/vfio/ machine/ host/posix/"
	may["preload/"]         = "include/uiommu/err.h include/uiommu/types.h server/proto.h"
	may["tools/"]           = "include/ src/smmuv3/regs.def src/smmuv3/fields.h machine/ server/ host/posix/"
	may["examples/"]        = "include/"
	# a VMM that knows the registers of an SMMUv3, and guests of its own
	may["examples/vmm/"]    = "include/ src/smmuv3/regs.def src/smmuv3/fields.h examples/compat/ tools/uiommu/attachments.h"
	# runs on a real machine as well: nothing of ours
	may["examples/topology.c"] = "examples/"
	for (i in may)
		rows[++nrows] = i
	# what C11 calls freestanding
	n = split("float iso646 limits stdalign stdarg stdbool stddef stdint stdnoreturn", w, " ")
	for (i = 1; i <= n; i++)
		free[w[i] ".h"] = 1
}

function row_of(path,   i, best) {
	best = ""
	for (i = 1; i <= nrows; i++)
		if (index(path, rows[i]) == 1 && length(rows[i]) > length(best))
			best = rows[i]
	return best
}

function normal(path,   n, w, i, out, m, seg) {
	n = split(path, w, "/")
	m = 0
	for (i = 1; i <= n; i++) {
		if (w[i] == "." || w[i] == "")
			continue
		if (w[i] == "..")
			m--
		else
			seg[++m] = w[i]
	}
	out = ""
	for (i = 1; i <= m; i++)
		out = out (i > 1 ? "/" : "") seg[i]
	return out
}

# The file that an #include of FILE names, "" if none of ours.
function resolve(file, name,   dir, p, r) {
	dir = file
	if (!sub(/\/[^\/]*$/, "", dir))
		dir = "."
	if ((p = normal(dir "/" name)) in ours)
		return p
	if ((p = normal(name)) in ours)
		return p
	if ((p = "include/" name) in ours)
		return p
	# -I of the folder itself, or one of its parents
	while (sub(/\/[^\/]*$/, "", dir))
		if ((p = normal(dir "/" name)) in ours)
			return p
	return ""
}

function allowed(file, target,   row, n, w, i) {
	row = row_of(file)
	if (row == "")
		return 1
	if (row ~ /\/$/ && index(target, row) == 1)
		return 1
	if (may[row] == "*")
		return index(target, "preload/") != 1
	n = split(may[row], w, " ")
	for (i = 1; i <= n; i++)
		if (index(target, w[i]) == 1)
			return 1
	return 0
}

function bad(text) {
	printf "%s:%d: %s\n", file, line, text
	wrong++
}

function system_header(name,   row) {
	row = row_of(file)
	if (row ~ /^(include|src\/(port|core|pt|smmuv3))\//) {
		if (!(name in free))
			bad("<" name "> is not one of C11's freestanding headers")
	} else if (row ~ /^src\/(iommufd|vfio)\//) {
		if (!(name in free) && name != "string.h")
			bad("<" name "> is neither freestanding nor string.h")
	}
}

# A header that the folder's own meson.build makes.
function generated(name,   dir, text, found) {
	dir = file; sub(/\/[^\/]*$/, "", dir)
	while ((getline text <(dir "/meson.build")) > 0)
		if (index(text, "'" name "'"))
			found = 1
	close(dir "/meson.build")
	return found
}

function look(   text, name, target) {
	line = 0
	while ((getline text <file) > 0) {
		line++
		if (text !~ /^[ \t]*#[ \t]*include[ \t]*["<]/)
			continue
		name = text
		sub(/^[^"<]*["<]/, "", name); sub(/[">].*/, "", name)
		target = resolve(file, name)
		if (text ~ /</ && name !~ /^uiommu\//)
			system_header(name)
		else if (target == "" && !generated(name))
			bad("\"" name "\" is no file of this checkout")
		else if (target != "" && !allowed(file, target))
			bad(row_of(file) " may not include " target)
		if (target != "")
			seen++
	}
	close(file)
}

{ ours[$0] = 1 }
END {
	table()
	while ((getline file <files) > 0)
		look()
	printf "%d includes of our own files looked at, %d wrong\n", seen, wrong
	exit wrong > 0
}
