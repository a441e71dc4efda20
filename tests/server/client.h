/* SPDX-License-Identifier: MIT */
/* A client of the server that speaks its protocol with nothing in between. */
#ifndef TESTS_SERVER_CLIENT_H
#define TESTS_SERVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/proto.h"

struct client {
	int sock, server;		/* its pid */
	/* what the fallback hid for us */
	struct {
		uint64_t va, len;
	} hidden[32];
	unsigned nhidden, unhidden, rings, protects;
	/* refuse to make an io_uring, as where it is switched off */
	bool no_ring;
	/* instead of answering the next upcall: close */
	bool hang_up;
	/* say that memory was protected and unmapped, but do not */
	bool inert;
};

int client_socket(void);			/* connected; or negative errno */
int client_connect(struct client *c);		/* and HELLO; 0 or negative errno */
/* One request; upcalls are answered. @fd gets a file that came along, or -1. */
int64_t client_call(struct client *c, const struct uiommu_req *req, struct uiommu_rep *rep,
		    int *fd);
int client_open(struct client *c, const char *path);	/* fd or negative errno */
/* the number of the object behind a file, or 0 */
uint32_t client_object(int fd);
int64_t client_ioctl(struct client *c, int fd, uint32_t cmd, void *arg);
/* munmap() as the preloaded library does it: what is hidden is moved away */
int client_munmap(struct client *c, void *p, size_t len);

#endif
