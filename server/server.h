/* SPDX-License-Identifier: MIT */
/*
 * server/server.h - the front end of `uiommu run`: one process that holds the
 * machine, starts the program, and answers the preloaded library in each of
 * the program's processes (server/proto.h)
 *
 *	struct uiommu_server_config cfg = { .observer = &show, .quiet = quiet };
 *	if (uiommu_server_create(&cfg, &s, err, sizeof(err)))
 *		fprintf(stderr, "uiommu: %s\n", err), exit(125);
 *	status = uiommu_server_run(s, argv + optind, environ);
 *	uiommu_server_destroy(s);
 *	return uiommu_server_exit_code(status);
 *
 * Requests are handled one at a time on the thread that called run(); device
 * models and interrupts have threads of their own that belong to the machine
 * and to host/posix. One server per process.
 */
#ifndef UIOMMU_SERVER_H
#define UIOMMU_SERVER_H

#include <uiommu/iommu.h>
#include <uiommu/uaccess.h>

struct uiommu_server;
struct uiommu_machine;
struct uiommu_posix;

struct uiommu_server_config {
	const void *dtb;		/* the machine; NULL: the built-in one */
	size_t dtb_bytes;
	const struct uiommu_observer *observer;	/* faults, attach changes; or NULL */
	/* The model's log lines, instead of stderr; or NULL. Any thread. */
	void (*log)(void *ctx, enum uiommu_log_level level, const char *line);
	void *log_ctx;
	bool quiet;			/* no banner, no log below an error */
	bool no_io_uring;		/* pins by the fallback, as if io_uring were off */
	const char *preload;		/* the library; NULL: looked for beside the tool */
	const char *root;		/* an empty directory for the shadow tree, kept
					   on exit; NULL: a temporary one */
};

/**
 * uiommu_server_create() - build the machine and everything that serves it
 * @cfg: copied, but what it points to must stay until destroy
 * @out: the server
 * @err: gets one sentence, without a newline, when this fails; may be NULL
 * @err_bytes: size of @err
 *
 * Makes the host, the machine, the shadow directory and the socket; becomes a
 * subreaper; blocks the signals that run() reads (SIGCHLD, SIGINT, SIGQUIT,
 * SIGTERM, SIGHUP) so that no thread of the machine gets them.
 *
 * Context:   main thread, before any other thread is made.
 * Ownership: the caller destroys @out.
 * Return:    0, or a negative UIOMMU_E*, with @err filled in; nothing is left behind.
 */
int uiommu_server_create(const struct uiommu_server_config *cfg, struct uiommu_server **out,
			 char *err, size_t err_bytes);

/**
 * uiommu_server_run() - start a program and serve it until the end
 * @s:    the server
 * @argv: the program (looked for in PATH) and its arguments, NULL-terminated
 * @envp: its environment; LD_PRELOAD, UIOMMU_* are added
 *
 * Returns when the program has ended and every process that held one of our
 * files or a connection is gone, or when SIGTERM, SIGHUP, SIGINT or SIGQUIT
 * came after the program's own end. Before that, such a signal is passed on to
 * the program (unless the terminal has sent it there already).
 *
 * A program that cannot be started: a sentence on stderr, and the status of a
 * program that exited with 127 (not found) or 126 (found, not executable).
 *
 * Context:   the thread that called create(). Once per server.
 * Return:    the program's status as from waitpid().
 */
int uiommu_server_run(struct uiommu_server *s, char *const argv[], char *const envp[]);

/**
 * uiommu_server_exit_code() - end as the program did
 * @status: from uiommu_server_run()
 *
 * For a program killed by a signal: dies of the same signal (without a core of
 * its own), so that the shell sees what it would have seen; if that signal
 * cannot kill us, returns 128 + its number.
 *
 * Context: after uiommu_server_destroy().
 * Return:  the number to exit with.
 */
int uiommu_server_exit_code(int status);

/**
 * uiommu_server_destroy() - take everything down again
 * @s: the server, or NULL
 *
 * Releases what processes still hold, the machine, the shadow directory.
 * Context: the thread that called create().
 */
void uiommu_server_destroy(struct uiommu_server *s);

/* Its parts, for the tool's own commands. Valid until destroy. */
struct uiommu_machine *uiommu_server_machine(struct uiommu_server *s);
struct uiommu_posix *uiommu_server_posix(struct uiommu_server *s);
const char *uiommu_server_root(const struct uiommu_server *s);

#endif
