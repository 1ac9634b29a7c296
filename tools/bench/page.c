#include "tools/bench/page.h"

#include <errno.h>

#include "devices/base/error.h"

static const char style[] =
	":root { color-scheme: light dark; --bg: #fff; --fg: #1c1e21; --dim: #6a7076; --line: #dfe3e6;"
	" --s0: #3b6fd4; --s1: #d9742b; }\n"
	"@media (prefers-color-scheme: dark) { :root { --bg: #16181b; --fg: #e6e8ea; --dim: #9aa1a8;"
	" --line: #33383d; --s0: #7ba4f4; --s1: #f0a065; } }\n"
	"body { background: var(--bg); color: var(--fg); font: 15px/1.45 system-ui, sans-serif;"
	" max-width: 1400px; margin: 2em auto; padding: 0 1em; }\n"
	".charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr));"
	" gap: 1.5em 2em; }\n"
	"figure { margin: 0; max-width: 680px; } figcaption { min-height: 3em; } p, .dim { color: var(--dim); }\n"
	"svg { width: 100%; height: auto; font-size: 13px; } svg text { fill: var(--fg); }\n"
	"svg text.dim { fill: var(--dim); } .m { text-anchor: middle; } .r { text-anchor: end; }\n"
	".s0 { fill: var(--s0); } .s1 { fill: var(--s1); }\n"
	".whisker { stroke: var(--fg); fill: none; }\n"
	".grid { stroke: var(--line); } .zero { stroke: var(--dim); }\n"
	".scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px;"
	" font-variant-numeric: tabular-nums; }\n"
	"th, td { padding: 2px 10px; text-align: right; border-bottom: 1px solid var(--line); }\n"
	"th { position: sticky; top: 0; background: var(--bg); white-space: nowrap; } .name { text-align: left; }\n";

static void page_escaped(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		default:
			fputc(*text, out);
		}
}

bool page_open(const char *path, FILE **ret_page, GError **err)
{
	*ret_page = fopen(path, "we");
	return *ret_page || ringside_error_errno(err, errno, "--html %s", path);
}

bool page_close(const char *path, FILE *page, GError **err)
{
	bool bad = fflush(page) != 0 || ferror(page);

	return (fclose(page) == 0 && !bad) || ringside_error_errno(err, errno, "--html %s", path);
}

void page_begin(FILE *page, const char *title, const char *command, const char *cpu)
{
	fprintf(page,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<title>ringside: %s</title>\n<style>\n%s</style>\n"
		"<h1>%s</h1>\n<p>ringside ",
		title, style, title);
	page_escaped(page, command);
	fputs("<br>\n", page);
	page_escaped(page, cpu);
}

void page_end(FILE *page)
{
	fputs("</html>\n", page);
}
