/* SPDX-License-Identifier: MIT */
/* page.c - the graph through graphviz, and a page around it that needs nothing else */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../decode/report.h"
#include "draw.h"

/* ---- dot ---- */

static int spawn_dot(FILE *in, int out, pid_t *pid)
{
	const char *argv[] = { "dot", "-Tsvg", NULL };
	posix_spawn_file_actions_t fa;
	extern char **environ;
	int ret;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, fileno(in), STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	ret = posix_spawnp(pid, "dot", &fa, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return ret;
}

static char *read_all(FILE *f)
{
	size_t n = 0, room = 65536, got;
	char *s = tool_alloc(room);

	while ((got = fread(s + n, 1, room - n - 1, f)) > 0) {
		n += got;
		if (room - n < 2)
			s = tool_realloc(s, room *= 2);
	}
	s[n] = '\0';
	return s;
}

/* Files on both sides: a pipe that is full on both would stop both programs. */
static char *svg(const struct topo *t)
{
	FILE *in = tmpfile(), *out = tmpfile();
	int ret, status = 0;
	char *s = NULL;
	pid_t pid;

	ret = in && out ? 0 : errno;
	if (!ret) {
		draw_dot(t, in);
		fflush(in);
		rewind(in);
		ret = spawn_dot(in, fileno(out), &pid);
	}
	if (ret == ENOENT)
		fputs("uiommu: there is no dot to lay out the picture: install graphviz.\n",
			stderr);
	else if (ret)
		fprintf(stderr, "uiommu: dot could not be started: %s.\n", strerror(ret));
	while (!ret && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ret && WIFEXITED(status) && !WEXITSTATUS(status)) {
		rewind(out);
		s = read_all(out);
	} else if (!ret) {
		fputs("uiommu: dot failed.\n", stderr);
	}
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	return s;
}

static void escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			fputs("&lt;", out);
		else if (*s == '>')
			fputs("&gt;", out);
		else if (*s == '&')
			fputs("&amp;", out);
		else if (*s == '"')
			fputs("&quot;", out);
		else
			fputc(*s, out);
	}
}

/* A browser shows <title> on hovering, and dot puts its own names there: an edge
 * gets the arithmetic of its entry instead, anything else none. */
static void put_svg(const struct topo *t, const char *s, FILE *out)
{
	const char *title, *end;
	unsigned map;

	while ((title = strstr(s, "<title>")) && (end = strstr(title, "</title>"))) {
		const char *id = title;
		char text[320];

		while (id > s && strncmp(id, "id=\"", 4))
			id--;
		fwrite(s, 1, (size_t)(title - s), out);
		if (sscanf(id, "id=\"map%u", &map) == 1 && map < t->num_maps) {
			draw_arithmetic(t, &t->maps[map], text, sizeof(text));
			fputs("<title>", out);
			escaped(out, text);
			fputs("</title>", out);
		}
		s = end + strlen("</title>");
	}
	fputs(s, out);
}

int draw_svg(const struct topo *t, FILE *out)
{
	char *s = svg(t);

	if (!s)
		return -1;
	put_svg(t, s, out);
	free(s);
	return 0;
}

/* ---- the page ---- */

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<title>uIOMMU: what hangs where</title>\n<style>\n"
	"body { font-family: sans-serif; margin: 2em; }\n"
	"table { border-collapse: collapse; margin: .5em 0 1em 1em; }\n"
	"td, th { border: 1px solid #bbb; padding: .2em .6em; text-align: left; "
	"font-variant-numeric: tabular-nums; }\n"
	"summary { cursor: pointer; padding: .2em; }\n"
	".error { color: #a00; } .warning { color: #850; }\n"
	"svg { max-width: 100%; height: auto; }\n"
	"</style></head><body>\n<h1>What hangs where</h1>\n";

static void page_map_row(const struct topo *t, const struct topo_map *m, FILE *out)
{
	const struct topo_root *r = &t->roots[m->root];
	char text[320], how[320];

	draw_map_text(t, m, text, sizeof(text));
	fputs("<tr><td>", out);
	escaped(out, r->name);
	fprintf(out, "</td><td>0x%x</td><td>0x%" PRIx64 "</td><td>0x%x</td><td title=\"", m->id,
		m->count, m->sid);
	draw_arithmetic(t, m, how, sizeof(how));
	escaped(out, how);
	fputs("\">", out);
	escaped(out, text);
	fputs("</td></tr>\n", out);
}

static void page_tables(const struct topo *t, FILE *out)
{
	for (unsigned s = 0; s < t->num_smmus; s++) {
		fputs("<details><summary>", out);
		escaped(out, t->smmus[s].name);
		fputs("</summary><table><tr><th>who</th><th>ID</th><th>count</th><th>StreamID</th>"
		      "<th>that is</th></tr>\n", out);
		for (unsigned i = 0; i < t->num_maps; i++)
			if (t->maps[i].smmu == s)
				page_map_row(t, &t->maps[i], out);
		fputs("</table></details>\n", out);
	}
}

static void page_attaches(const struct topo *t, FILE *out)
{
	char text[320];

	if (!t->num_attaches)
		return;
	fputs("<details><summary>Attaches and faults</summary><table><tr><th>device</th>"
	      "<th>attached</th><th>faults</th><th>the last</th></tr>\n", out);
	for (unsigned i = 0; i < t->num_attaches; i++) {
		const struct topo_attach *a = &t->attaches[i];

		topo_name_id(t, t->devs[a->dev].root, t->devs[a->dev].id, text, sizeof(text));
		fputs("<tr><td>", out);
		escaped(out, text);
		fputs("</td><td>", out);
		draw_attach_text(t, a, "→", text, sizeof(text));
		escaped(out, text);
		fprintf(out, "</td><td>%" PRIu64 "</td><td>", a->faults);
		escaped(out, a->last ? a->last : "");
		fputs("</td></tr>\n", out);
	}
	fputs("</table></details>\n", out);
}

static void page_findings(const struct topo *t, FILE *out)
{
	static const char *const classes[] = { "note", "warning", "error" };

	fputs("<h2>Findings</h2>\n<ul>\n", out);
	for (unsigned i = 0; i < t->num_findings; i++) {
		fprintf(out, "<li class=\"%s\">%s: ", classes[t->findings[i].severity],
			classes[t->findings[i].severity]);
		escaped(out, t->findings[i].text);
		fputs("</li>\n", out);
	}
	fputs(t->num_findings ? "</ul>\n" : "<li>none</li></ul>\n", out);
}

int draw_html(const struct topo *t, FILE *out)
{
	char *s = svg(t), *p = s ? strstr(s, "<svg") : NULL;

	if (!p) {
		free(s);
		return -1;
	}
	fputs(head, out);
	put_svg(t, p, out);
	fputs("<h2>Tables</h2>\n", out);
	page_tables(t, out);
	page_attaches(t, out);
	page_findings(t, out);
	fputs("</body></html>\n", out);
	free(s);
	return 0;
}
