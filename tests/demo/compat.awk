# SPDX-License-Identifier: MIT
# compat.awk HEADER... GOLDEN... - assertions that what our uAPI headers define has
# the numbers and layouts of the golden lists; prints a C file
BEGIN {
	print "/* made by tests/demo/compat.awk */"
	print "#include <stddef.h>\n#include <stdio.h>\n"
	print "#include \"compat/linux/iommufd.h\"\n#include \"compat/linux/vfio.h\"\n"
}
FILENAME ~ /\.h$/ {
	if (/^struct [a-z0-9_]+ \{/)
		structs[$2] = 1
	if (/^struct /)
		in_struct = $2
	if (/^};?/)
		in_struct = ""
	line = $0
	while (match(line, /[A-Za-z_][A-Za-z0-9_]*/)) {
		word = substr(line, RSTART, RLENGTH)
		words[word] = 1
		if (in_struct != "")
			fields[in_struct "." word] = 1
		line = substr(line, RSTART + RLENGTH)
	}
	next
}
$1 == "value" && $2 in words && $2 != "IOMMUFD_TYPE" && $2 != "VFIO_TYPE" {
	printf "_Static_assert((unsigned long long)(%s) == %sull, \"%s\");\n", $2, $3, $2
	n++
}
$1 == "struct" {
	now = $2
	flexible = 0
	if (now in structs) {
		printf "_Static_assert(sizeof(struct %s) == %s, \"%s\");\n", now, $3, now
		n++
	}
}
$1 == "field" && now in structs {
	if (!((now "." $2) in fields))
		printf "#error \"struct %s has no field %s\"\n", now, $2
	printf "_Static_assert(offsetof(struct %s, %s) == %s, \"%s.%s\");\n", now, $2, $3, now, $2
	if ($4 != 0)
		printf "_Static_assert(sizeof(((struct %s *)0)->%s) == %s, \"%s.%s\");\n", now, $2, $4, now, $2
	n++
	seen[now] = 1
}
END {
	for (s in structs)
		if (!(s in seen))
			printf "#error \"struct %s stands in no golden list\"\n", s
	printf "\nint main(void)\n{\n\tputs(\"%d facts\");\n\treturn %d < 170;\n}\n", n, n
}
