/* SPDX-License-Identifier: MIT */
/* The server with a fake machine, and programs that speak to it directly. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "fake_backend.h"

extern char **environ;

struct heard {
	char line[512];
	unsigned n;
};

static void hear(void *ctx, enum uiommu_log_level level, const char *line)
{
	struct heard *h = ctx;

	snprintf(h->line, sizeof(h->line), "%s", line);
	h->n++;
}

static bool have_uring(void)
{
	static int known;
	char params[120] = { 0 };
	int fd;

	if (!known) {
		fd = syscall(SYS_io_uring_setup, 4, params);
		known = fd >= 0 ? 1 : -1;
		close(fd);
	}
	return known > 0;
}

/* An orphan of the program may be on its way out when all its files are closed. */
static void no_children(void)
{
	alarm(100);
	while (waitpid(-1, NULL, 0) > 0)
		;
	alarm(0);
	assert_int_equal(errno, ECHILD);
}

static int passes;	/* of the last scenario, by processes whose status nobody sees */

/* Runs one scenario; everything must be given back afterwards. */
static int run_with(struct uiommu_server_config cfg, struct heard *h, const char *a, const char *b)
{
	char *argv[] = { (char *)TEST_PROG, (char *)a, (char *)b, NULL };
	struct fake f = { 0 };
	char root[256];
	int st;

	memset(h, 0, sizeof(*h));
	cfg.preload = TEST_DUMMY;
	cfg.log = hear;
	cfg.log_ctx = h;
	assert_int_equal(fake_server(&f, &cfg), 0);
	snprintf(root, sizeof(root), "%s", uiommu_server_root(f.s));
	st = uiommu_server_run(f.s, argv, environ);
	assert_null(f.s->conns);
	assert_int_equal(f.s->nobjects, 0);
	assert_null(f.s->ases);
	uiommu_server_destroy(f.s);
	assert_int_equal(f.opened, f.released);
	passes = f.passes;
	assert_int_equal(access(root, F_OK), -1);
	no_children();
	return st;
}

/* The program exits with 77 where this system does not let it try everything; it
 * said why on the stdout that we share. */
static void scenario(const char *a, const char *b)
{
	struct heard h;
	int st = run_with((struct uiommu_server_config){ 0 }, &h, a, b);

	if (WIFEXITED(st) && WEXITSTATUS(st) == 77)
		skip();
	if (st)
		print_error("scenario %s %s: status %#x; rerun: %s\n", a, b ? b : "", st, h.line);
	assert_int_equal(st, 0);
	assert_string_equal(h.line, "");
}

/* Whoever looks gives up after 50 seconds; the run does not wait for him. */
static void s_inspect_stays(void **state)
{
	time_t start = time(NULL);

	scenario("inspect_stays", NULL);
	assert_true(time(NULL) - start < 25);
}

/* With the pins of the kernel; and again where there are none. */
static void scenario_uring(const char *a, const char *b)
{
	if (!have_uring()) {
		print_message("skipped: this system has no io_uring\n");
		skip();
	}
	scenario(a, b);
}

static void scenario_hidden(const char *a, const char *b)
{
	struct heard h;
	int st = run_with((struct uiommu_server_config){ .no_io_uring = true }, &h, a, b);

	assert_int_equal(st, 0);
	assert_int_equal(h.n, 1);
	assert_non_null(strstr(h.line, "has no io_uring"));
}

#define SCENARIO(n) static void s_##n(void **state) { scenario(#n, NULL); }
#define SCENARIO_URING(n) static void s_##n(void **state) { scenario_uring(#n, NULL); }
#define SCENARIO_HIDDEN(n) static void s_##n##_hidden(void **state) { scenario_hidden(#n, NULL); }

SCENARIO(basic)
SCENARIO(closed)
SCENARIO(dup)
SCENARIO(fork)
SCENARIO(scm)
SCENARIO(exec)
SCENARIO(files)
SCENARIO(keep)
SCENARIO(flood)
SCENARIO(malformed)
SCENARIO(no_hello)
SCENARIO(traps)
SCENARIO(mappings)
SCENARIO(inspect)
SCENARIO(inspect_rude)
SCENARIO(inspect_others)
SCENARIO_URING(pin)
SCENARIO_URING(munmap)
SCENARIO_URING(munmap_part)
SCENARIO_URING(munmap_around)
SCENARIO_URING(pin_exec)
SCENARIO_URING(dontneed)
SCENARIO_URING(mprotect)
SCENARIO_URING(pin_fork)
SCENARIO_URING(pin_exit)
SCENARIO_URING(readonly)
SCENARIO_URING(large)
SCENARIO_URING(like)
SCENARIO_URING(memlock)
SCENARIO_URING(many)
SCENARIO_URING(closefrom)
SCENARIO_URING(reconnect)
SCENARIO_URING(hangup)
SCENARIO_HIDDEN(pin)
SCENARIO_HIDDEN(munmap)
SCENARIO_HIDDEN(munmap_part)
SCENARIO_HIDDEN(munmap_around)
SCENARIO_HIDDEN(pin_exec)
SCENARIO_HIDDEN(pin_fork)
SCENARIO_HIDDEN(readonly)
SCENARIO_HIDDEN(reconnect)
SCENARIO_HIDDEN(large)
SCENARIO_HIDDEN(like)

static void s_orphan(void **state)
{
	scenario("orphan", NULL);
	assert_int_equal(passes, 1);
}

static void pin_exit_hidden(void **state)
{
	scenario_hidden("pin_exit_hidden", NULL);
}

/* The process refuses the ring by itself: the same as when it is switched off. */
static void no_ring_in_process(void **state)
{
	struct heard h;

	setenv("TEST_NO_RING", "1", 1);
	assert_int_equal(run_with((struct uiommu_server_config){ 0 }, &h, "munmap", NULL), 0);
	unsetenv("TEST_NO_RING");
	assert_int_equal(h.n, 1);
}

static void readonly_file(void **state)
{
	struct heard h;

	assert_int_equal(run_with((struct uiommu_server_config){ 0 }, &h, "readonly_file", NULL),
			 0);
	assert_int_equal(h.n, 1);	/* what is followed is said */
}

static void bad_rings(void **state)
{
	static const char *const fds[] = { "0", "1", "-1", "99", "0x7fffffff", "0xffffffffff" };
	struct heard h;

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		assert_int_equal(run_with((struct uiommu_server_config){ 0 }, &h, "bad_ring",
					  fds[i]), 0);
}

/* A server with few descriptors: errors, not a hang, and all is well again when
 * the program has closed some. In a process of its own, for the limit. */
static void few_descriptors(void **state)
{
	struct rlimit r = { 40, 40 };
	pid_t pid = fork();
	int st;

	if (!pid) {
		struct heard h;

		setrlimit(RLIMIT_NOFILE, &r);
		st = run_with((struct uiommu_server_config){ 0 }, &h, "descriptors", NULL);
		_exit(st || h.n != 1 || !strstr(h.line, "too many open files"));
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

static void invariant_14_any_request_of_a_client(void **state)
{
	const char *given = getenv("UIOMMU_TEST_SEED");
	unsigned seed = given ? strtoul(given, NULL, 0) : 1, n = given ? 1 : 4;
	struct heard h;
	char text[16];
	int st;

	for (; n--; seed++) {
		snprintf(text, sizeof(text), "%u", seed);
		st = run_with((struct uiommu_server_config){ 0 }, &h, "fuzz", text);
		if (st)
			print_error("rerun: UIOMMU_TEST_SEED=%u\n", seed);
		assert_int_equal(st, 0);
	}
}

/* ---- starting and ending ---- */

static void environment(void **state)
{
	char text[32], fds[64] = "";
	struct rlimit r;

	/* the server raises it for itself; the program is to have what we have */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = 300;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
	snprintf(text, sizeof(text), "%lu", (unsigned long)r.rlim_cur);
	setenv("TEST_NOFILE", text, 1);
	/* and the files that we were started with, no others */
	for (int fd = 3; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFD);

		text[0] = flags >= 0 && !(flags & FD_CLOEXEC) ? 'y' : 'n';
		fds[fd - 3] = text[0];
	}
	setenv("TEST_FDS", fds, 1);
	scenario("env", NULL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	assert_int_equal(r.rlim_cur, 300);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static void exit_status(void **state)
{
	struct heard h;
	int st = run_with((struct uiommu_server_config){ 0 }, &h, "exit3", NULL);

	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 3);
	assert_int_equal(uiommu_server_exit_code(st), 3);
}

static void killed_by_signal(void **state)
{
	struct heard h;
	int st = run_with((struct uiommu_server_config){ 0 }, &h, "killed", NULL);

	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	st = run_with((struct uiommu_server_config){ 0 }, &h, "abort", NULL);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
}

/* uiommu_server_exit_code() dies as the program did. */
static void dies_alike(void **state)
{
	pid_t pid = fork();
	int st;

	if (!pid)
		_exit(uiommu_server_exit_code(SIGTERM));
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
}

/* The program is over, one of its processes is not: it is served until it is. */
static void outlived(void **state)
{
	struct heard h;
	int st = run_with((struct uiommu_server_config){ 0 }, &h, "daemon", NULL);

	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	assert_int_equal(passes, 1);
}

static int start(const char *program, struct heard *h)
{
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY, .log = hear, .log_ctx = h };
	char *argv[] = { (char *)program, NULL };
	struct fake f = { 0 };
	int st;

	memset(h, 0, sizeof(*h));
	assert_int_equal(fake_server(&f, &cfg), 0);
	st = uiommu_server_run(f.s, argv, environ);
	uiommu_server_destroy(f.s);
	return st;
}

static void not_found(void **state)
{
	struct heard h;

	assert_int_equal(WEXITSTATUS(start("/nonexistent/program", &h)), 127);
	assert_string_equal(h.line, "/nonexistent/program: no such program");
	assert_int_equal(WEXITSTATUS(start("no-such-program-anywhere", &h)), 127);
	assert_string_equal(h.line, "no-such-program-anywhere: no such program");
	assert_int_equal(WEXITSTATUS(start("", &h)), 127);
}

static void not_executable(void **state)
{
	struct heard h;

	assert_int_equal(WEXITSTATUS(start("/etc/passwd", &h)), 126);
	assert_string_equal(h.line, "/etc/passwd: Permission denied");
	assert_int_equal(WEXITSTATUS(start("/", &h)), 126);
}

static void along_path(void **state)
{
	struct heard h;

	assert_int_equal(start("true", &h), 0);
	assert_string_equal(h.line, "");
}

static void no_preload(void **state)
{
	struct uiommu_server_config cfg = { .preload = "/nonexistent/lib.so" };
	struct backend be = { 0 };
	struct uiommu_server *s;
	char err[256] = "";

	assert_int_equal(server_create_with(&cfg, &be, &s, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/lib.so is not there"));
}

static void elf_facts(void **state)
{
	struct elf_facts e;

	assert_int_equal(elf_read(TEST_PROG, &e), 0);
	assert_true(e.is_elf && e.dynamic);
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
	assert_non_null(strstr(e.sanitizer, "libasan.so"));
#elif !defined(__SANITIZE_THREAD__)
	assert_string_equal(e.sanitizer, "");
#endif
	assert_int_equal(elf_read("/etc/passwd", &e), 0);
	assert_false(e.is_elf);
	assert_int_equal(elf_read("/nonexistent", &e), -ENOENT);
}

/* ---- the server as a process ---- */

/* Forks a server that runs @scenario; returns when the program says its pid. */
static pid_t server_process(const char *scenario, char *root, size_t bytes, pid_t *prog)
{
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY };
	char *argv[] = { (char *)TEST_PROG, (char *)scenario, NULL }, text[16] = "";
	int up[2], out[2];
	pid_t pid;

	assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		struct fake f = { 0 };
		int st;

		if (fake_server(&f, &cfg) || write(up[1], f.s->root, strlen(f.s->root) + 1) < 0)
			_exit(99);
		dup2(out[1], 1);
		st = uiommu_server_run(f.s, argv, environ);
		uiommu_server_destroy(f.s);
		_exit(uiommu_server_exit_code(st));
	}
	close(up[1]);
	close(out[1]);
	assert_true(read(up[0], root, bytes) > 0);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	*prog = atoi(text);
	close(up[0]);
	close(out[0]);
	return pid;
}

static void term_is_passed_on(void **state)
{
	char root[256];
	pid_t prog, pid = server_process("wait_term", root, sizeof(root), &prog);
	int st;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	assert_int_equal(access(root, F_OK), -1);
}

/* Killed, it leaves its directory; the next one takes it away. */
static void swept_after_kill(void **state)
{
	char root[256];
	pid_t prog, pid = server_process("wait_term", root, sizeof(root), &prog);
	struct heard h;
	int st;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	/* the program it served is left alone: it is no business of a later server */
	assert_int_equal(kill(prog, SIGKILL), 0);
	assert_int_equal(access(root, F_OK), 0);
	assert_int_equal(start("true", &h), 0);
	assert_int_equal(access(root, F_OK), -1);
}

/* A second server does not sweep what a living one uses. */
static void living_is_not_swept(void **state)
{
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY };
	struct fake f = { 0 };
	struct heard h;

	assert_int_equal(fake_server(&f, &cfg), 0);
	assert_int_equal(start("true", &h), 0);
	assert_int_equal(access(uiommu_server_root(f.s), F_OK), 0);
	uiommu_server_destroy(f.s);
}

/* Nor one that has been made this moment and has no lock by its name yet: it gets
 * that when it is held, so that nobody can take it before. */
static void newborn_is_not_swept(void **state)
{
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY };
	char lock[280], young[280];
	struct fake f = { 0 };
	struct heard h;

	assert_int_equal(fake_server(&f, &cfg), 0);
	snprintf(lock, sizeof(lock), "%s/lock", uiommu_server_root(f.s));
	snprintf(young, sizeof(young), "%s/lock.new", uiommu_server_root(f.s));
	assert_int_equal(access(young, F_OK), -1);
	assert_int_equal(rename(lock, young), 0);
	assert_int_equal(start("true", &h), 0);
	assert_int_equal(access(young, F_OK), 0);
	uiommu_server_destroy(f.s);
}

/* ---- the shadow tree ---- */

static void check_text(const char *root, const char *path, const char *want)
{
	char full[512], got[2048] = "";
	int fd;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	fd = open(full, O_RDONLY);
	if (fd < 0)
		print_error("%s: %s\n", path, strerror(errno));
	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, want);
}

static void check_leads(const char *root, const char *path, const char *want)
{
	char full[512], *got;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	got = realpath(full, NULL);
	assert_non_null(got);
	assert_memory_equal(got, root, strlen(root));
	assert_string_equal(got + strlen(root) + 1, want);
	free(got);
}

static void shadow_tree(void **state)
{
	static const char dev[] = "sys/devices/pci0000:01/0000:01:00.0";
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY };
	struct fake f = { 0 };
	const char *r;
	char full[512];
	struct stat st;

	assert_int_equal(fake_server(&f, &cfg), 0);
	r = uiommu_server_root(f.s);
	check_text(r, "dev/iommu", "10:120\n");
	check_text(r, "dev/vfio/devices/vfio1", "508:1\n");
	check_text(r, "sys/bus/pci/devices/0000:01:00.0/vendor", "0x1234\n");
	check_text(r, "sys/bus/pci/devices/0000:01:00.0/class", "0x00ff00\n");
	check_text(r, "sys/bus/pci/devices/0000:01:00.0/vfio-dev/vfio0/dev", "508:0\n");
	check_text(r, "sys/class/vfio-dev/vfio1/dev", "508:1\n");
	check_text(r, "sys/kernel/iommu_groups/1/reserved_regions",
		   "0x0000000008000000 0x00000000080fffff msi\n"
		   "0x0000000040000000 0x000000004fffffff reserved\n");
	check_text(r, "sys/class/misc/iommu/dev", "10:120\n");
	check_text(r, "sys/bus/pci/devices/0000:02:00.0/modalias",
		   "pci:v00001234d000011E8sv00000000sd00000000bc00scFFi00\n");
	check_leads(r, "sys/bus/pci/devices/0000:01:00.0", dev);
	check_leads(r, "sys/bus/pci/devices/0000:01:00.0/driver", "sys/bus/pci/drivers/vfio-pci");
	check_leads(r, "sys/bus/pci/devices/0000:01:00.0/subsystem", "sys/bus/pci");
	check_leads(r, "sys/bus/pci/devices/0000:02:00.0/iommu_group", "sys/kernel/iommu_groups/1");
	check_leads(r, "sys/bus/pci/devices/0000:01:00.0/iommu/devices/0000:01:00.0", dev);
	check_leads(r, "sys/bus/pci/drivers/vfio-pci/0000:01:00.0", dev);
	check_leads(r, "sys/kernel/iommu_groups/0/devices/0000:01:00.0", dev);
	check_leads(r, "sys/class/iommu/smmu3.0/devices/0000:01:00.0", dev);
	check_leads(r, "sys/class/vfio-dev/vfio0/device", dev);
	check_leads(r, "sys/class/vfio-dev/vfio0/subsystem", "sys/class/vfio-dev");
	snprintf(full, sizeof(full), "%s/%s/config", r, dev);
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_size, 4096);
	snprintf(full, sizeof(full), "%s/socket", r);
	assert_int_equal(stat(full, &st), 0);
	uiommu_server_destroy(f.s);
}

/* What the real system has is listed too, and leads there. */
static void shadow_shows_real(void **state)
{
	static const char real[] = "/sys/bus/pci/drivers";
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY };
	struct fake f = { 0 };
	DIR *d = opendir(real);
	struct dirent *e;

	assert_int_equal(fake_server(&f, &cfg), 0);
	while (d && (e = readdir(d))) {
		char full[512];

		snprintf(full, sizeof(full), "%s%s/%s", uiommu_server_root(f.s), real, e->d_name);
		assert_int_equal(access(full, F_OK), 0);
	}
	if (d)
		closedir(d);
	uiommu_server_destroy(f.s);
}

static void given_root_is_kept(void **state)
{
	char dir[] = "/tmp/uiommu-test-XXXXXX", full[64];
	struct uiommu_server_config cfg = { .preload = TEST_DUMMY, .root = dir };
	struct fake f = { 0 };

	assert_non_null(mkdtemp(dir));
	assert_int_equal(fake_server(&f, &cfg), 0);
	uiommu_server_destroy(f.s);
	snprintf(full, sizeof(full), "%s/dev/iommu", dir);
	assert_int_equal(access(full, F_OK), 0);
	snprintf(full, sizeof(full), "rm -r %s", dir);
	assert_int_equal(system(full), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s_basic),
		cmocka_unit_test(s_closed),
		cmocka_unit_test(s_dup),
		cmocka_unit_test(s_fork),
		cmocka_unit_test(s_orphan),
		cmocka_unit_test(s_scm),
		cmocka_unit_test(s_exec),
		cmocka_unit_test(s_files),
		cmocka_unit_test(s_keep),
		cmocka_unit_test(s_flood),
		cmocka_unit_test(s_malformed),
		cmocka_unit_test(s_no_hello),
		cmocka_unit_test(s_traps),
		cmocka_unit_test(s_mappings),
		cmocka_unit_test(s_inspect),
		cmocka_unit_test(s_inspect_rude),
		cmocka_unit_test(s_inspect_stays),
		cmocka_unit_test(s_inspect_others),
		cmocka_unit_test(s_pin),
		cmocka_unit_test(s_munmap),
		cmocka_unit_test(s_munmap_part),
		cmocka_unit_test(s_munmap_around),
		cmocka_unit_test(s_pin_exec),
		cmocka_unit_test(s_dontneed),
		cmocka_unit_test(s_mprotect),
		cmocka_unit_test(s_pin_fork),
		cmocka_unit_test(s_pin_exit),
		cmocka_unit_test(s_readonly),
		cmocka_unit_test(readonly_file),
		cmocka_unit_test(s_large),
		cmocka_unit_test(s_like),
		cmocka_unit_test(s_memlock),
		cmocka_unit_test(s_many),
		cmocka_unit_test(s_closefrom),
		cmocka_unit_test(s_reconnect),
		cmocka_unit_test(s_hangup),
		cmocka_unit_test(s_pin_hidden),
		cmocka_unit_test(s_munmap_hidden),
		cmocka_unit_test(s_munmap_part_hidden),
		cmocka_unit_test(s_munmap_around_hidden),
		cmocka_unit_test(s_pin_exec_hidden),
		cmocka_unit_test(s_pin_fork_hidden),
		cmocka_unit_test(s_readonly_hidden),
		cmocka_unit_test(s_reconnect_hidden),
		cmocka_unit_test(s_large_hidden),
		cmocka_unit_test(s_like_hidden),
		cmocka_unit_test(pin_exit_hidden),
		cmocka_unit_test(no_ring_in_process),
		cmocka_unit_test(bad_rings),
		cmocka_unit_test(few_descriptors),
		cmocka_unit_test(invariant_14_any_request_of_a_client),
		cmocka_unit_test(environment),
		cmocka_unit_test(exit_status),
		cmocka_unit_test(killed_by_signal),
		cmocka_unit_test(dies_alike),
		cmocka_unit_test(outlived),
		cmocka_unit_test(not_found),
		cmocka_unit_test(not_executable),
		cmocka_unit_test(along_path),
		cmocka_unit_test(no_preload),
		cmocka_unit_test(elf_facts),
		cmocka_unit_test(term_is_passed_on),
		cmocka_unit_test(swept_after_kill),
		cmocka_unit_test(living_is_not_swept),
		cmocka_unit_test(newborn_is_not_swept),
		cmocka_unit_test(shadow_tree),
		cmocka_unit_test(shadow_shows_real),
		cmocka_unit_test(given_root_is_kept),
	};

	if (getenv("UIOMMU_TEST_FILTER"))
		cmocka_set_test_filter(getenv("UIOMMU_TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
