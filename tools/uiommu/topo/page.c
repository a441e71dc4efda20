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
		draw_dot(t, in, false);
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

/* ---- what hovering shows ---- */

/* By the id that draw_dot() gave; false: nothing. */
static bool hover_text(const struct topo *t, const char *id, char *buf, size_t bytes)
{
	unsigned i;

	*buf = '\0';
	if (sscanf(id, "map%u\"", &i) == 1 && i < t->num_maps) {
		draw_arithmetic(t, &t->maps[i], buf, bytes);
	} else if (sscanf(id, "dev%u\"", &i) == 1 && i < t->num_devs) {
		draw_dev_arithmetic(t, &t->devs[i], buf, bytes);
	} else if (sscanf(id, "attach%u\"", &i) == 1 && i < t->num_attaches) {
		draw_attach_text(t, &t->attaches[i], "→", buf, bytes);
		if (t->attaches[i].last)
			snprintf(buf, bytes, "the last fault: %s", t->attaches[i].last);
	}
	return *buf;
}

/* The next group of the picture that has an id of ours; its id in *@id. */
static const char *next_group(const char *s, const char **id)
{
	static const char head[] = "<g id=\"";
	const char *at = s;

	while ((at = strstr(at, head))) {
		*id = at + strlen(head);
		at = strchr(*id, '>');
		if (!at)
			return NULL;
		at++;
		if (strncmp(*id, "graph", 5) && strncmp(*id, "a_", 2))
			return at;
	}
	return NULL;
}

/* dot's own titles are names of its own */
static void put_without_titles(const char *s, const char *end, FILE *out)
{
	const char *title;

	while ((title = strstr(s, "<title>")) && title < end) {
		fwrite(s, 1, (size_t)(title - s), out);
		s = strstr(title, "</title>");
		s = s ? s + strlen("</title>") : end;
	}
	if (s < end)
		fwrite(s, 1, (size_t)(end - s), out);
}

/* A picture alone: programs that show one show a group's <title>. */
static void put_picture(const struct topo *t, const char *s, FILE *out)
{
	const char *id, *inside;
	char text[400];

	while ((inside = next_group(s, &id))) {
		put_without_titles(s, inside, out);
		if (hover_text(t, id, text, sizeof(text))) {
			fputs("<title>", out);
			escaped(out, text);
			fputs("</title>", out);
		}
		s = inside;
	}
	put_without_titles(s, s + strlen(s), out);
}

int draw_svg(const struct topo *t, FILE *out)
{
	char *s = svg(t);

	if (!s)
		return -1;
	put_picture(t, s, out);
	free(s);
	return 0;
}

/* ---- the picture in the page ---- */

#define TIP_WIDTH 340

/* An SMMU, a device or a domain leads to its table; false: this one to none. */
static bool begin_link(const char *id, FILE *out)
{
	unsigned i;

	if (sscanf(id, "smmu%u\"", &i) == 1)
		fprintf(out, "<a href=\"#table-smmu%u\">", i);
	else if (!strncmp(id, "domain", 6))
		fputs("<a href=\"#table-attaches\">", out);
	else if (!strncmp(id, "dev", 3))
		fputs("<a href=\"#table-devices\">", out);
	else
		return false;
	return true;
}

/* Shown by the style sheet when its group is under the pointer. */
static void tip(const struct topo *t, const char *id, const char *inside, FILE *out)
{
	const char *label = strstr(inside, "<text");
	int n = (int)strcspn(id, "\"");
	double x, y;
	char text[400];

	if (!label || sscanf(label, "<text text-anchor=\"middle\" x=\"%lf\" y=\"%lf\"", &x,
			     &y) != 2 || !hover_text(t, id, text, sizeof(text)))
		return;
	x = x < TIP_WIDTH / 2 ? 0 : x - TIP_WIDTH / 2;
	fprintf(out, "<style>svg:has(#%.*s:hover) #tip-%.*s { visibility: visible }</style>\n"
		"<foreignObject id=\"tip-%.*s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" "
		"height=\"1\"><div>", n, id, n, id, n, id, x, y - 16, TIP_WIDTH);
	escaped(out, text);
	fputs("</div></foreignObject>\n", out);
}

/* Those behind come last, so that nothing is drawn over them. */
static void tips(const struct topo *t, const char *s, FILE *out)
{
	const char *id;

	while ((s = next_group(s, &id)))
		tip(t, id, s, out);
}

static void put_page_picture(const struct topo *t, const char *s, FILE *out)
{
	const char *whole = s, *id, *inside, *end;

	while ((inside = next_group(s, &id))) {
		const char *node = strstr(id, "class=\"node\"");

		put_without_titles(s, inside, out);
		s = inside;
		end = strstr(s, "</g>");
		if (!node || node > inside || !end || !begin_link(id, out))
			continue;
		put_without_titles(s, end, out);
		fputs("</a>", out);
		s = end;
	}
	end = strstr(s, "</svg>");
	while (end && end > s && strncmp(end, "</g>", 4))
		end--;
	put_without_titles(s, end ? end : s + strlen(s), out);
	tips(t, whole, out);
	fputs(end ? end : "", out);
}

/* ---- the page ---- */

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\">"
	"<title>uIOMMU: what hangs where</title>\n<style>\n"
	"body { font-family: sans-serif; margin: 2em; color: #222; }\n"
	"h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 1.6em; }\n"
	"table { border-collapse: collapse; margin: .5em 0 1em 1em; }\n"
	"td, th { border: 1px solid #ccc; padding: .25em .7em; text-align: left; "
	"font-variant-numeric: tabular-nums; }\n"
	"th { background: #f3f3f3; font-weight: 600; }\n"
	"summary { cursor: pointer; padding: .2em; }\n"
	".error { color: #a00; } .warning { color: #850; } li { margin: .2em 0; }\n"
	"svg { max-width: 100%; height: auto; overflow: visible; }\n"
	"svg a[href] { cursor: pointer; }\n"
	".node:hover path, .node:hover polygon, .edge:hover path { stroke-width: 2.5; }\n"
	"foreignObject { visibility: hidden; overflow: visible; pointer-events: none; }\n"
	"foreignObject div { transform: translateY(-100%); width: fit-content; margin: 0 auto; "
	"background: #222; color: #fff; border-radius: 4px; padding: .35em .7em; "
	"font-size: 12px; }\n"
	"</style></head><body>\n<h1>What hangs where</h1>\n";

static void page_map_row(const struct topo *t, const struct topo_map *m, FILE *out)
{
	const struct topo_root *r = &t->roots[m->root];
	char text[320], how[320];

	draw_map_text(t, m, text, sizeof(text));
	fputs("<tr><td>", out);
	escaped(out, r->name);
	fprintf(out, "</td><td>0x%x</td><td>0x%" PRIx64 "</td><td>0x%x</td><td>", m->id, m->count,
		m->sid);
	draw_arithmetic(t, m, how, sizeof(how));
	escaped(out, text);
	fputs("</td><td>", out);
	escaped(out, how);
	fputs("</td></tr>\n", out);
}

static void page_tables(const struct topo *t, FILE *out)
{
	for (unsigned s = 0; s < t->num_smmus; s++) {
		fputs("<details><summary>", out);
		escaped(out, t->smmus[s].name);
		fprintf(out, "</summary><table id=\"table-smmu%u\"><tr><th>who</th><th>ID</th>"
			"<th>count</th><th>StreamID</th><th>that is</th><th>how</th></tr>\n", s);
		for (unsigned i = 0; i < t->num_maps; i++)
			if (t->maps[i].smmu == s)
				page_map_row(t, &t->maps[i], out);
		fputs("</table></details>\n", out);
	}
}

static void page_devices(const struct topo *t, FILE *out)
{
	char text[320];

	if (!t->num_devs)
		return;
	fputs("<details><summary>Devices</summary><table id=\"table-devices\"><tr><th>device</th>"
	      "<th>ID</th><th>group</th><th>how</th></tr>\n", out);
	for (unsigned i = 0; i < t->num_devs; i++) {
		const struct topo_dev *d = &t->devs[i];

		topo_name_id(t, d->root, d->id, text, sizeof(text));
		fputs("<tr><td>", out);
		escaped(out, text);
		fputs(strcmp(text, d->name) ? " " : "", out);
		escaped(out, strcmp(text, d->name) ? d->name : "");
		fprintf(out, "</td><td>0x%04x</td><td>", d->id);
		if (d->group >= 0)
			fprintf(out, "%d", d->group);
		fputs("</td><td>", out);
		draw_dev_arithmetic(t, d, text, sizeof(text));
		escaped(out, text);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></details>\n", out);
}

static void page_attaches(const struct topo *t, FILE *out)
{
	char text[320];

	if (!t->num_attaches)
		return;
	fputs("<details><summary>Attaches and faults</summary>"
	      "<table id=\"table-attaches\"><tr><th>device</th>"
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
	put_page_picture(t, p, out);
	fputs("<h2>Tables</h2>\n", out);
	page_tables(t, out);
	page_devices(t, out);
	page_attaches(t, out);
	page_findings(t, out);
	fputs("</body></html>\n", out);
	free(s);
	return 0;
}
