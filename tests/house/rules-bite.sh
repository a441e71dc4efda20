#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules' scripts find what they are for: each is shown a small checkout that
# breaks its rule in one place, and must fail and name the place; and one that
# breaks none, and must not.
. "$(dirname "$0")/lib.sh"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0
m='/* SPDX-License-Identifier: MIT */'

# A checkout that keeps every rule. No git in it: files are found by name.
fresh() {
	rm -rf "$tmp/c"
	mkdir -p "$tmp/c/include/uiommu" "$tmp/c/src/core" "$tmp/c/src/pt" "$tmp/c/sim" \
		"$tmp/c/examples" "$tmp/c/preload" "$tmp/c/build/src/core" "$tmp/c/build/preload"
	cd "$tmp/c" || exit 1
	cat >include/uiommu/a.h <<-TEXT
	$m
	#ifndef A_H
	#define A_H
	#include <stdint.h>
	/**
	 * uiommu_a() - what it does
	 * @x: bytes
	 *
	 * Context: any thread.
	 * Return:  0
	 */
	int uiommu_a(uint32_t x);
	#endif
	TEXT
	printf '%s\n' "$m" '#include <uiommu/a.h>' 'int uiommu_a(uint32_t x)' '{' \
		'	return x != 0;' '}' >src/core/a.c
	echo a.c >src/core/SOURCES
	printf '%s\n' "$m" >src/pt/p.h
	printf '%s\n' "$m" >sim/s.c
	printf '%s\n' "$m" '#include <linux/vfio.h>' >examples/topology.c
	printf '%s\n' "$m" '#include <stdio.h>' 'int puts(const char *s);' \
		'int puts(const char *s)' '{' '	return *s;' '}' >preload/p.c
	echo puts >preload/EXPORTS
	mkdir -p tests/core docs
	for n in 01 02 03 04 05 06 07 08 09 10 11 12 13 14; do
		echo "static void invariant_${n}_holds(void **state)"
	done | sed "1i$m" >tests/core/t.c
	echo invariant_03_holds >docs/TESTING.md
}

built() {
	gcc -c -Iinclude -o build/src/core/a.o src/core/a.c &&
	ar rcs build/src/core/liba.a build/src/core/*.o &&
	gcc -shared -fPIC -fno-builtin -o build/preload/libp.so preload/p.c
}

# rule, what is expected in its output ("" = it passes), and what was done
try() {
	n=$((n + 1))
	case $1 in symbols) built ;; esac
	out=$(GIT_DIR=/nonexistent sh "$here/$1.sh" "$tmp/c" "$tmp/c/build" 2>&1)
	rc=$?
	if [ -z "$2" ]; then
		[ "$rc" = 0 ]
	else
		[ "$rc" != 0 ] && [ "$rc" != 77 ] && echo "$out" | grep -q -e "$2"
	fi
	if [ $? = 0 ]; then
		echo "ok $n - $1: $3"
	else
		echo "$out" | tail -n 5
		echo "not ok $n - $1: $3"
		failed=1
	fi
	fresh
}

fresh
for rule in includes symbols docs freestanding length text invariants; do
	try $rule "" "nothing is wrong"
done

echo '#include <string.h>' >>src/core/a.c
try includes 'core/a.c:7: <string.h> is not' "libc in a freestanding folder"
echo '#include "../core/a.c"' >>src/pt/p.h
try includes 'src/pt/ may not include src/core/a.c' "page tables include the core"
echo '#include "src/pt/p.h"' >>sim/s.c
try includes 'sim/ may not include src/pt/p.h' "the model includes the driver's side"
echo '#include "nowhere.h"' >>sim/s.c
try includes 'is no file of this checkout' "a header that is not there"
echo '#include <uiommu/a.h>' >>examples/topology.c
try includes 'topology.c may not include include/uiommu/a.h' "the example uses the library"

echo 'int stray(void) { return 0; }' >>src/core/a.c
try symbols 'exports stray' "a name without uiommu_"
echo 'static int count; int uiommu_n(void) { return ++count; }' >>src/core/a.c
try symbols 'keeps state' "a mutable static"
echo '__attribute__((weak)) void *memcpy(void *a, const void *b, unsigned long n) { return a; }' \
	>>src/core/a.c
try symbols 'share an object' "weak memcpy beside other code"
echo 'int extra(void) { return 0; }' >>preload/p.c
try symbols 'exported, not listed: extra' "preload exports more than it says"
echo getpid >>preload/EXPORTS
try symbols 'listed, not exported: getpid' "preload exports less than it says"

sed -i '/Context/d' include/uiommu/a.h
try docs 'uiommu_a has no Context' "no Context line"
sed -i '/Return/d' include/uiommu/a.h
try docs 'uiommu_a has no Return' "no Return line"
sed -i '/@x/d' include/uiommu/a.h
try docs 'what @x is' "a parameter that is not explained"
sed -i 's/^#endif/void uiommu_b(void);\n#endif/' include/uiommu/a.h
try docs 'uiommu_b has no kernel-doc' "no comment at all"

sed -i 's/x != 0/strlen("a")/' src/core/a.c
try freestanding 'not ok 1 ' "a call of libc"
sed -i 's/^#include.*/&\nint helper(int x);/; s/x != 0/helper(x)/' src/core/a.c
try freestanding 'from outside' "a function of nobody's"
sed -i '/stdint/d' include/uiommu/a.h
try freestanding 'not ok 4 ' "a header that does not stand alone"

{ echo 'void f(void)'; echo '{'; yes '	;' | head -n 101; echo '}'; } >>src/core/a.c
try length '101 lines' "a function of 101 lines"
awk 'BEGIN { printf "/* %100s */\n", "x" }' >>sim/s.c
try length 'columns' "a line of more than 100 columns"

echo 'int x; ' >>src/core/a.c
try text 'core/a.c:7:.*white space' "white space at a line's end"
sed -i 1d src/core/a.c
try text 'core/a.c:1:.*SPDX' "no licence"
printf 'int x;' >>src/core/a.c
try text 'no newline' "no newline at the end"
echo '    int x;' >>src/core/a.c
try text 'with spaces' "spaces instead of tabs"
echo "/* http://deb.$(echo debian).org/debian */" >>src/core/a.c
try text 'package archive' "an archive's name"
echo "/* see $(echo /work)/main */" >>src/core/a.c
try text 'outside the checkout' "a directory of one machine"

sed -i /invariant_09/d tests/core/t.c
try invariants 'rule 9 of section 3' "a rule without a test"
echo invariant_03_does_not >>docs/TESTING.md
try invariants 'no test invariant_03_does_not' "a test that is not there"

echo "1..$n"
exit $failed
