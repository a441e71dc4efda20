/* SPDX-License-Identifier: MIT */
/* The life of the server: create, run, end. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/internal.h"

void say(struct uiommu_server *s, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (s->cfg.log)
		s->cfg.log(s->cfg.log_ctx, UIOMMU_LOG_ERR, line);
	else
		fprintf(stderr, "uiommu: %s\n", line);
}

bool say_first(struct uiommu_server *s, enum said what)
{
	return !atomic_exchange(&s->said[what], true);
}

void say_no_fds(struct uiommu_server *s)
{
	if (say_first(s, SAID_FDS))
		say(s, "too many open files: a process of the program is turned away");
}

int watch_add(int epfd, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, w->fd, &ev) ? -errno : 0;
}

/* ---- signals ---- */

/* A signal that whoever started us ignores stays ignored (nohup). */
static void add_unless_ignored(sigset_t *set, int sig)
{
	struct sigaction sa;

	if (!sigaction(sig, NULL, &sa) && sa.sa_handler != SIG_IGN)
		sigaddset(set, sig);
}

static void signals_block(struct uiommu_server *s)
{
	static const int sigs[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		add_unless_ignored(&set, sigs[i]);
	pthread_sigmask(SIG_BLOCK, &set, &s->old_mask);
	s->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whatever came in the meantime was for a program that is no more. */
static void signals_unblock(struct uiommu_server *s)
{
	struct signalfd_siginfo si;

	while (s->signals.fd >= 0 && read(s->signals.fd, &si, sizeof(si)) > 0)
		;
	if (s->signals.fd >= 0)
		close(s->signals.fd);
	pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
}

/* Ours, and orphans of the program, which become ours. */
static void reap(struct uiommu_server *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->child) {
			s->status = status;
			s->child_done = true;
		}
}

/* The terminal sends to its whole foreground group: the program has it too. */
static void pass_on(struct uiommu_server *s, const struct signalfd_siginfo *si)
{
	if (s->child_done)
		s->stop = true;
	else if (si->ssi_code <= 0)
		kill(s->child, si->ssi_signo);
}

static void signal_event(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	struct signalfd_siginfo si;

	while (read(w->fd, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo == SIGCHLD)
			reap(s);
		else
			pass_on(s, &si);
}

static void objects_event(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	objects_reap(s);
}

/* ---- create ---- */

static void raise_nofile(struct uiommu_server *s)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &s->old_nofile))
		return;
	r = s->old_nofile;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int fail(char *err, size_t err_bytes, const char *what, int ret)
{
	if (err)
		snprintf(err, err_bytes, "%s: %s", what, strerror(-ret));
	return ret;
}

static void set_log(struct uiommu_server *s)
{
	uiommu_posix_set_log(s->posix, s->cfg.quiet ? UIOMMU_LOG_ERR : UIOMMU_LOG_WARN, s->cfg.log,
			     s->cfg.log_ctx);
}

/* What the machine needs to be made. */
int server_init(const struct uiommu_server_config *cfg, struct uiommu_server **out, char *err,
		size_t err_bytes)
{
	struct uiommu_server *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return fail(err, err_bytes, "the server", -UIOMMU_ENOMEM);
	s->cfg = *cfg;
	s->root_fd = s->lock_fd = s->epfd = s->objects_epfd = s->spare_fd = s->listener.fd = -1;
	s->inspect.fd = -1;
	ret = uiommu_posix_create(&s->posix);
	if (ret) {
		free(s);
		return fail(err, err_bytes, "physical memory", ret);
	}
	set_log(s);
	s->uaccess = uaccess_template;
	s->uaccess.ctx = s;
	pthread_mutex_init(&s->hide_lock, NULL);
	raise_nofile(s);
	signals_block(s);
	prctl(PR_GET_CHILD_SUBREAPER, &s->old_subreaper);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	*out = s;
	return 0;
}

static int open_epoll(struct uiommu_server *s)
{
	int ret;

	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	s->objects_epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0 || s->objects_epfd < 0 || s->signals.fd < 0)
		return -errno;
	s->signals.fn = signal_event;
	s->objects_ready = (struct watch){ s->objects_epfd, objects_event };
	ret = watch_add(s->epfd, &s->signals, EPOLLIN);
	return ret ? ret : watch_add(s->epfd, &s->objects_ready, EPOLLIN);
}

/* What needs the machine. */
int server_open(struct uiommu_server *s, char *err, size_t err_bytes)
{
	int ret = preload_find(s, s->cfg.preload, err, err_bytes);

	if (ret)
		return ret;
	ret = open_epoll(s);
	if (ret)
		return fail(err, err_bytes, "epoll", ret);
	ret = root_make(s, s->cfg.root);
	if (!ret)
		ret = shadow_build(s);
	if (ret)
		return fail(err, err_bytes, "the directory that stands for /dev and /sys", ret);
	ret = listener_init(s);
	if (!ret)
		ret = inspect_init(s);
	return ret ? fail(err, err_bytes, "the socket", ret) : 0;
}

int server_create_with(const struct uiommu_server_config *cfg, const struct backend *be,
		       struct uiommu_server **out, char *err, size_t err_bytes)
{
	struct uiommu_server *s;
	int ret = server_init(cfg, &s, err, err_bytes);

	if (ret)
		return ret;
	s->backend = *be;
	ret = server_open(s, err, err_bytes);
	if (ret)
		uiommu_server_destroy(s);
	else
		*out = s;
	return ret;
}

/* ---- run ---- */

/* One at a time: what an event does may take others' objects away. */
static void serve(struct uiommu_server *s)
{
	struct epoll_event ev;

	while (!s->stop && !(s->child_done && !s->conns && !s->nobjects)) {
		struct watch *w;

		if (epoll_wait(s->epfd, &ev, 1, -1) != 1)
			continue;
		w = ev.data.ptr;
		w->fn(s, w, ev.events);
	}
}

int uiommu_server_run(struct uiommu_server *s, char *const argv[], char *const envp[])
{
	s->child = program_spawn(s, argv, envp, &s->status);
	if (s->child >= 0)
		serve(s);
	return s->status;
}

int uiommu_server_exit_code(int status)
{
	struct rlimit no_core = { 0, 0 };
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

/* ---- end ---- */

void uiommu_server_destroy(struct uiommu_server *s)
{
	if (!s)
		return;
	listener_fini(s);
	inspect_fini(s);
	conns_close_all(s);
	objects_release_all(s);
	if (s->machine_destroy)
		s->machine_destroy(s);
	while (s->ases)		/* only if somebody kept one that is his to put */
		as_unref(s->ases);
	root_remove(s);
	if (s->epfd >= 0)
		close(s->epfd);
	if (s->objects_epfd >= 0)
		close(s->objects_epfd);
	uiommu_posix_destroy(s->posix);
	pthread_mutex_destroy(&s->hide_lock);
	prctl(PR_SET_CHILD_SUBREAPER, s->old_subreaper);
	setrlimit(RLIMIT_NOFILE, &s->old_nofile);
	signals_unblock(s);
	free(s->preload);
	free(s);
}

struct uiommu_machine *uiommu_server_machine(struct uiommu_server *s)
{
	return s->machine;
}

struct uiommu_posix *uiommu_server_posix(struct uiommu_server *s)
{
	return s->posix;
}

const char *uiommu_server_root(const struct uiommu_server *s)
{
	return s->root;
}
