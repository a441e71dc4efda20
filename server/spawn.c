/* SPDX-License-Identifier: MIT */
/* Starting the program with our library in it. */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/internal.h"

#define EXIT_NOT_FOUND		127
#define EXIT_NOT_EXECUTABLE	126
#define STATUS(code)		((code) << 8)	/* as waitpid() has it */

/* ---- where our library is ---- */

static bool try_preload(struct uiommu_server *s, const char *fmt, const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), fmt, dir, UIOMMU_PRELOAD_NAME);
	s->preload = realpath(path, NULL);
	return s->preload;
}

static bool exe_dir(char *buf, size_t bytes)
{
	ssize_t n = readlink("/proc/self/exe", buf, bytes - 1);

	if (n <= 0)
		return false;
	buf[n] = 0;
	dirname(buf);
	return true;
}

/* Beside the tool: in the build tree, or as installed. */
int preload_find(struct uiommu_server *s, const char *given, char *err, size_t err_bytes)
{
	static const char *const places[] = {
		"%s/%s", "%s/../preload/%s", "%s/../../preload/%s",
		"%s/../" UIOMMU_LIBDIR "/uiommu/%s", "%s/../lib/uiommu/%s",
	};
	const char *env = getenv("UIOMMU_PRELOAD");
	char dir[PATH_MAX];

	if (!given)
		given = env && *env ? env : NULL;
	if (given) {
		s->preload = realpath(given, NULL);
	} else if (exe_dir(dir, sizeof(dir))) {
		for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			if (try_preload(s, places[i], dir))
				break;
	}
	if (s->preload && !strpbrk(s->preload, " :"))
		return 0;
	if (!err)
		return -UIOMMU_ENOENT;
	if (s->preload)
		snprintf(err, err_bytes, "%s: a path with a space or a colon cannot be preloaded",
			 s->preload);
	else
		snprintf(err, err_bytes, "%s is not there; it belongs beside the tool (or name it "
			 "in UIOMMU_PRELOAD)", given ? given : UIOMMU_PRELOAD_NAME);
	return -UIOMMU_ENOENT;
}

/* ---- the environment ---- */

static bool is_var(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(entry, name, n) && entry[n] == '=';
}

static bool replaced(const char *entry)
{
	return is_var(entry, "LD_PRELOAD") || is_var(entry, UIOMMU_ENV_SOCKET) ||
	       is_var(entry, UIOMMU_ENV_ROOT);
}

static const char *value(char *const envp[], const char *name)
{
	for (; *envp; envp++)
		if (is_var(*envp, name))
			return *envp + strlen(name) + 1;
	return "";
}

struct env {
	char **v;
	unsigned n;
	bool failed;
};

static void env_add(struct env *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void env_add(struct env *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (e->failed || vasprintf(&e->v[e->n], fmt, ap) < 0)
		e->failed = true;
	else
		e->n++;
	va_end(ap);
}

/* Ours behind the sanitizer's runtime and before whatever else is preloaded;
 * not twice, should this be a uiommu inside a uiommu. */
static void env_preload(struct env *e, const char *preload, const char *sanitizer, const char *old)
{
	bool twice = strstr(old, preload);

	env_add(e, "LD_PRELOAD=%s%s%s%s%s", sanitizer, *sanitizer ? ":" : "",
		twice ? "" : preload, *old && !twice ? ":" : "", old);
}

static void env_free(struct env *e)
{
	for (unsigned i = 0; i < e->n; i++)
		free(e->v[i]);
	free(e->v);
}

static int env_make(struct env *e, struct uiommu_server *s, char *const envp[],
		    const struct elf_facts *elf)
{
	unsigned n = 0;

	while (envp[n])
		n++;
	*e = (struct env){ .v = calloc(n + 6, sizeof(char *)) };
	if (!e->v)
		return -UIOMMU_ENOMEM;
	env_preload(e, s->preload, elf->sanitizer, value(envp, "LD_PRELOAD"));
	env_add(e, UIOMMU_ENV_SOCKET "=%s/socket", s->root);
	env_add(e, UIOMMU_ENV_ROOT "=%s", s->root);
	if (s->cfg.quiet && !*value(envp, UIOMMU_ENV_QUIET))
		env_add(e, UIOMMU_ENV_QUIET "=1");
	for (unsigned i = 0; i < n; i++)
		if (!replaced(envp[i]))
			env_add(e, "%s", envp[i]);
	if (!e->failed)
		return 0;
	env_free(e);
	return -UIOMMU_ENOMEM;
}

/* ---- the program ---- */

/* As execvp(): a name with a slash as it is, else along PATH; the error of a
 * file that is there but cannot be run wins over "not found". */
static char *program_path(const char *name, const char *path, int *err)
{
	char *found = NULL, *list, *dir, *rest;

	*err = ENOENT;
	if (strchr(name, '/'))
		return strdup(name);
	list = rest = strdup(*path ? path : "/bin:/usr/bin");
	while (*name && !found && (dir = strsep(&rest, ":"))) {
		struct stat st;

		if (asprintf(&found, "%s/%s", *dir ? dir : ".", name) < 0)
			found = NULL;
		if (found && !stat(found, &st) && S_ISREG(st.st_mode) && !access(found, X_OK))
			break;
		if (found && !access(found, F_OK))
			*err = EACCES;
		free(found);
		found = NULL;
	}
	free(list);
	return found;
}

static int refuse(struct uiommu_server *s, const char *name, int err)
{
	bool missing = err == ENOENT || err == ENOTDIR;

	say(s, "%s: %s", name, err == ENOENT ? "no such program" : strerror(err));
	return STATUS(missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static void warn_unreachable(struct uiommu_server *s, const char *path, const struct elf_facts *elf)
{
	struct stat st;

	if (elf->is_elf && !elf->dynamic)
		say(s, "%s is statically linked: it will not see the devices", path);
	else if (!stat(path, &st) && ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
				      (st.st_mode & S_ISGID && st.st_gid != getegid())))
		say(s, "%s is set-user-ID or set-group-ID: it will not see the devices", path);
}

/* The program gets the signal mask and the limit on files that we were given. */
static int spawn(struct uiommu_server *s, pid_t *pid, const char *path, char *const argv[],
		 char *const envp[])
{
	posix_spawnattr_t attr;
	struct rlimit mine;
	int err;

	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &s->old_mask);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	getrlimit(RLIMIT_NOFILE, &mine);
	setrlimit(RLIMIT_NOFILE, &s->old_nofile);
	err = posix_spawn(pid, path, NULL, &attr, argv, envp);
	setrlimit(RLIMIT_NOFILE, &mine);
	posix_spawnattr_destroy(&attr);
	return err;
}

pid_t program_spawn(struct uiommu_server *s, char *const argv[], char *const envp[], int *status)
{
	struct elf_facts elf;
	struct env env;
	pid_t pid = -1;
	int err;
	char *path = program_path(argv[0], value(envp, "PATH"), &err);

	if (!path) {
		*status = refuse(s, argv[0], err);
		return -1;
	}
	elf_read(path, &elf);
	err = -env_make(&env, s, envp, &elf);
	if (!err) {
		err = spawn(s, &pid, path, argv, env.v);
		env_free(&env);
	}
	if (err) {
		*status = refuse(s, argv[0], err);
		pid = -1;
	} else {
		warn_unreachable(s, path, &elf);
	}
	free(path);
	return pid;
}
