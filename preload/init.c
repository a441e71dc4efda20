/* SPDX-License-Identifier: MIT */
/*
 * preload/init.c - what is found out once per process: the environment that
 * `uiommu run` made, and the next definition of every call
 */
#include "preload/preload.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct pl_env pl_env;
struct pl_real pl_real;
struct pl_process *pl_process;
bool pl_ready;

struct pl_keep pl_keep[PL_MAX_KEEP];
unsigned pl_num_keep;
static char keep_text[4 * PATH_MAX];

extern char **environ;

/* Until the page is there, and if it cannot be: a process that never forks. */
static struct pl_process first_process;

static void say(const char *what, const char *tail)
{
	struct iovec iov[4] = {
		{ (char *)"uiommu: ", 8 },
		{ (char *)what, strlen(what) },
		{ (char *)tail, strlen(tail) },
		{ (char *)"\n", 1 },
	};

	pl_sys(SYS_writev, 2, iov, 4);
}

void pl_say(const char *what)
{
	say(what, "");
}

void pl_say_str(const char *what, const char *s)
{
	say(what, s);
}

void pl_say_hex(const char *what, uint64_t n)
{
	char text[19], *p = text + sizeof(text) - 1;

	*p = 0;
	do {
		*--p = "0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	*--p = 'x';
	*--p = '0';
	say(what, p);
}

static void find_real(void)
{
#define PL_REAL(ret, name, args) *(void **)&pl_real.name = dlsym(RTLD_NEXT, #name);
#include "preload/real.def"
#undef PL_REAL
}

/* "NAME=value" into the words that every program we start gets; @needle: what
 * the program's own value must hold, ours goes before it if it does not */
static void keep(const char *name, const char *value, const char *needle)
{
	static size_t used;
	size_t n = strlen(name), v = strlen(value);
	char *p = keep_text + used;

	if (pl_num_keep == PL_MAX_KEEP || used + n + v + 2 > sizeof(keep_text))
		return;
	memcpy(p, name, n);
	p[n] = '=';
	memcpy(p + n + 1, value, v + 1);
	used += n + v + 2;
	pl_keep[pl_num_keep].text = p;
	pl_keep[pl_num_keep++].needle = needle;
}

static const char *env_get(const char *name)
{
	size_t n = strlen(name);

	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=')
			return *e + n + 1;
	return NULL;
}

/* A sanitizer's shared runtime must come before us in a program that has it, and
 * has no place in one that has not: the server puts it there for the program it
 * starts, and it is left out of what that one starts. There verify_asan_link_order
 * lets us come first. */
static bool is_runtime(const char *lib, size_t n)
{
	static const char *const names[] = { "libasan.so", "libtsan.so", "liblsan.so",
					     "libubsan.so", "libhwasan.so" };

	for (size_t i = 0; i < PL_ARRAY(names); i++)
		for (size_t at = 0; at + strlen(names[i]) <= n; at++)
			if (!strncmp(lib + at, names[i], strlen(names[i])))
				return true;
	return false;
}

/* @list without runtimes, into @out */
static void without_runtimes(const char *list, char *out, size_t room)
{
	size_t used = 0;

	while (*list) {
		size_t n = strcspn(list, ": ");

		if (n && !is_runtime(list, n) && used + n + 2 < room) {
			if (used)
				out[used++] = ':';
			memcpy(out + used, list, n);
			used += n;
		}
		list += n + (list[n] != 0);
	}
	out[used] = 0;
}

static void keep_preload(void)
{
	const char *preload = env_get("LD_PRELOAD");
	char list[PATH_MAX];
	Dl_info info;

	without_runtimes(preload ? preload : "", list, sizeof(list));
	if (!list[0] && dladdr(&pl_env, &info) && info.dli_fname)
		without_runtimes(info.dli_fname, list, sizeof(list));
	keep("LD_PRELOAD", list, UIOMMU_PRELOAD_NAME);
	keep("ASAN_OPTIONS", "verify_asan_link_order=0", "verify_asan_link_order");
}

/* What realpath() and /proc say about the tree is its name without links. A tree
 * that is gone has only the name that it was given: path.c's is_node(). */
static void find_root(const char *root)
{
	char link[PL_FD_LINK];
	long fd = pl_sys(SYS_openat, AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long n = (long)strlen(root);

	if (fd >= 0) {
		pl_fd_link((int)fd, link);
		n = pl_sys(SYS_readlink, link, pl_env.root, sizeof(pl_env.root) - 1);
		pl_sys(SYS_close, fd);
	} else if (fd == -ENOENT && n < (long)sizeof(pl_env.root)) {
		memcpy(pl_env.root, root, (size_t)n);
	} else {
		return;
	}
	if (n > 1 && n < PATH_MAX - 256)
		pl_env.root_len = (size_t)n;
	pl_env.root[pl_env.root_len] = 0;
}

static void find_env(void)
{
	const char *root = env_get(UIOMMU_ENV_ROOT), *sock = env_get(UIOMMU_ENV_SOCKET);

	keep_preload();
	if (sock) {
		keep(UIOMMU_ENV_SOCKET, sock, NULL);
		if (strlen(sock) < sizeof(pl_env.socket))
			strcpy(pl_env.socket, sock);
	}
	if (root) {
		keep(UIOMMU_ENV_ROOT, root, NULL);
		find_root(root);
	}
	if (env_get("UIOMMU_PRELOAD"))
		keep("UIOMMU_PRELOAD", env_get("UIOMMU_PRELOAD"), NULL);
	keep(UIOMMU_ENV_QUIET, "1", NULL);
}

static void find_process_page(void)
{
	size_t bytes = (sizeof(*pl_process) + PL_PAGE - 1) & -PL_PAGE;
	long p = pl_sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	pl_process = &first_process;
	if (p < 0 && p > -4096)
		return;
	pl_sys(SYS_madvise, p, bytes, MADV_WIPEONFORK);
	pl_process = (struct pl_process *)p;
	pl_process->pid = (int)pl_sys(SYS_getpid);
}

/* Two threads can be here at once only before the constructor has run, when
 * there is one thread. A call from below (dlsym) finds pl_real half filled, so
 * it must not come back: dlsym() of a function that exists calls none of ours.
 * A sanitizer's runtime is here before libc has the environment; the rest is
 * done at the first call after that. */
void pl_init_slow(void)
{
	static bool busy, begun;
	int saved = errno;

	if (busy)
		return;
	busy = true;
	if (!begun) {
		find_real();
		find_process_page();
		pl_signal_init();
		begun = true;
	}
	if (environ) {
		find_env();
		pl_ready = true;
	}
	errno = saved;
	busy = false;
}

/* Once per `uiommu run`: the programs that this one starts are told to be quiet. */
static void announce(void)
{
	if (env_get(UIOMMU_ENV_QUIET))
		return;
	pl_say("this program runs on a software IOMMU");
	setenv(UIOMMU_ENV_QUIET, "1", 1);
}

__attribute__((constructor)) static void start(void)
{
	const char *preload;

	pl_init();
	if (!pl_env.socket[0])
		return;
	announce();
	preload = env_get("LD_PRELOAD");
	if (preload && is_runtime(preload, strlen(preload)))
		setenv("LD_PRELOAD", pl_keep[0].text + strlen("LD_PRELOAD="), 1);
}
