/* SPDX-License-Identifier: MIT */
/*
 * preload/exec.c - a program started with a scrubbed environment still belongs
 * to the same machine
 *
 * What `uiommu run` put into the environment is put back where it is missing.
 * Nothing is allocated: between vfork and exec there is only the stack.
 */
#include "preload/preload.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

static size_t name_len(const char *word)
{
	return (size_t)(strchr(word, '=') - word) + 1;
}

static const char *find(char *const env[], const char *word)
{
	size_t n = name_len(word);

	for (; env && *env; env++)
		if (!strncmp(*env, word, n))
			return *env;
	return NULL;
}

static size_t count(char *const v[])
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

/* which of our words @theirs is about, if it does not do as it is */
static const struct pl_keep *to_join(const char *theirs)
{
	for (unsigned i = 0; i < pl_num_keep; i++)
		if (!strncmp(theirs, pl_keep[i].text, name_len(pl_keep[i].text)))
			return pl_keep[i].needle && !strstr(theirs, pl_keep[i].needle) ?
			       &pl_keep[i] : NULL;
	return NULL;
}

static bool complete(char *const env[])
{
	const char *theirs;

	if (!pl_env.socket[0])
		return true;
	for (unsigned i = 0; i < pl_num_keep; i++) {
		theirs = find(env, pl_keep[i].text);
		if (!theirs || to_join(theirs))
			return false;
	}
	return true;
}

static size_t pointers(char *const env[])
{
	return (count(env) + PL_MAX_KEEP + 1) * sizeof(char *);
}

/* room for @env, our words and the joined ones */
static size_t room_for(char *const env[])
{
	const struct pl_keep *k;
	size_t n = pointers(env);

	for (; env && *env; env++) {
		k = to_join(*env);
		n += k ? strlen(*env) + strlen(k->text) + 2 : 0;
	}
	return n;
}

/* "NAME=ours:theirs"; returns the end */
static char *join(char *out, const struct pl_keep *k, const char *theirs)
{
	size_t n = strlen(k->text);

	memcpy(out, k->text, n);
	out[n] = ':';
	strcpy(out + n + 1, theirs + name_len(theirs));
	return out + strlen(out) + 1;
}

static char **build(char *const env[], void *room)
{
	char **out = room, *text = (char *)room + pointers(env);
	const struct pl_keep *k;
	size_t n = 0;

	for (; env && *env; env++) {
		k = to_join(*env);
		out[n++] = k ? text : *env;
		if (k)
			text = join(text, k, *env);
	}
	out[n] = NULL;
	for (unsigned i = 0; i < pl_num_keep; i++)
		if (!find(out, pl_keep[i].text)) {
			out[n++] = pl_keep[i].text;
			out[n] = NULL;
		}
	return out;
}

/* an environment that holds our words; lives as long as the caller's frame */
#define WITH_US(env)							\
	char **with_us = (char **)(env);				\
									\
	pl_init();							\
	if (!complete(with_us))						\
		with_us = build(env, alloca(room_for(env)));

/* ---- exec ---- */

PL_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	struct pl_path p;

	WITH_US(env)
	return pl_real.execve(pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE ? path : p.name,
			      argv, with_us);
}

PL_EXPORT int execv(const char *path, char *const argv[])
{
	WITH_US(environ)
	return pl_real.execve(path, argv, with_us);
}

PL_EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	WITH_US(env)
	return pl_real.execvpe(file, argv, with_us);
}

PL_EXPORT int execvp(const char *file, char *const argv[])
{
	WITH_US(environ)
	return pl_real.execvpe(file, argv, with_us);
}

PL_EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	WITH_US(env)
	return pl_real.fexecve(fd, argv, with_us);
}

PL_EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const env[],
		       int flags)
{
	WITH_US(env)
	return pl_real.execveat(dirfd, path, argv, with_us, flags);
}

static size_t count_args(va_list ap)
{
	size_t n = 1;
	va_list copy;

	va_copy(copy, ap);
	while (va_arg(copy, char *))
		n++;
	va_end(copy);
	return n;
}

/* the words of an execl() as an array on the caller's stack; @ap is left after
 * the NULL, where execle() has its environment */
#define COLLECT(argv, arg, ap)						\
	do {								\
		size_t nr;						\
									\
		va_start(ap, arg);					\
		nr = (arg) ? count_args(ap) : 0;			\
		argv = alloca((nr + 1) * sizeof(char *));		\
		argv[0] = (char *)(arg);				\
		for (size_t i = 1; i <= nr; i++)			\
			argv[i] = va_arg(ap, char *);			\
	} while (0)

PL_EXPORT int execl(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return execv(path, argv);
}

PL_EXPORT int execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return execvp(file, argv);
}

PL_EXPORT int execle(const char *path, const char *arg, ...)
{
	char **argv, **env;
	va_list ap;

	COLLECT(argv, arg, ap);
	env = va_arg(ap, char **);
	va_end(ap);
	return execve(path, argv, env);
}

/* ---- spawn ---- */

PL_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
			  const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	WITH_US(env)
	return pl_real.posix_spawn(pid, path, fa, attr, argv, with_us);
}

PL_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *fa,
			   const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	WITH_US(env)
	return pl_real.posix_spawnp(pid, file, fa, attr, argv, with_us);
}

/* system() and popen() start a shell from inside libc, with the environment as
 * it is: there our words are put back for good. */
static void put_back(const struct pl_keep *k)
{
	const char *theirs = find(environ, k->text);
	char *text;

	if (!theirs)
		putenv(k->text);
	if (!theirs || !to_join(theirs))
		return;
	text = malloc(strlen(k->text) + strlen(theirs) + 2);
	if (!text)
		return;
	join(text, k, theirs);
	putenv(text);
}

static void restore_environ(void)
{
	pl_init();
	if (complete(environ))
		return;
	for (unsigned i = 0; i < pl_num_keep; i++)
		put_back(&pl_keep[i]);
}

PL_EXPORT int system(const char *command)
{
	restore_environ();
	return pl_real.system(command);
}

PL_EXPORT FILE *popen(const char *command, const char *mode)
{
	restore_environ();
	return pl_real.popen(command, mode);
}
