#include <errno.h>

#include "devices/base/error.h"
#include "devices/base/json-string.h"
#include "tools/attack/run.h"

static double rate(const struct attack_run *run)
{
	return run->seconds > 0 ? (double)run->done / run->seconds : 0;
}

static void report_finding(FILE *out, const struct attack_run *run, const struct attack_finding *f)
{
	fprintf(out, "%s: input %" G_GUINT64_FORMAT ": %s\n", attack_verdict_name(f->verdict),
		f->number, f->told);
	if (f->file)
		fprintf(out, "\tsaved: %s\n", f->file);
	else if (!run->plan->replay)
		fprintf(out,
			"\tagain: --seed %" G_GUINT64_FORMAT " --from %" G_GUINT64_FORMAT
			" --inputs 1\n",
			run->source.seed, f->number);
}

void attack_report(FILE *out, const struct attack_run *run)
{
	unsigned shown[ATTACK_N_VERDICTS] = { 0 };

	for (guint i = 0; i < run->findings->len; i++) {
		const struct attack_finding *f = &g_array_index(run->findings,
								struct attack_finding, i);

		if (shown[f->verdict]++ < ATTACK_SHOWN)
			report_finding(out, run, f);
	}
	fprintf(out, "%" G_GUINT64_FORMAT " inputs in %.1f s, %.0f a second; ", run->done,
		run->seconds, rate(run));
	if (run->source.messages)
		fprintf(out, "the back-end took all messages of %" G_GUINT64_FORMAT "\n",
			run->taken);
	else
		fprintf(out, "the device used chains of %" G_GUINT64_FORMAT "\n", run->answered);
	for (unsigned v = 0; v < ATTACK_N_VERDICTS; v++)
		if (v == ATTACK_FINE || run->count[v])
			fprintf(out, "%s %" G_GUINT64_FORMAT "\n", attack_verdict_name(v),
				run->count[v]);
	if (run->source.kind->probe && !run->probes)
		fprintf(out, "not looked for: deaf; a sound request was not served at first\n");
	if (run->over)
		fprintf(out, "ended early: %s\n", run->over);
}

static void json_finding(FILE *out, const struct attack_finding *f)
{
	fprintf(out, "{ \"verdict\": \"%s\", \"number\": %" G_GUINT64_FORMAT ", \"told\": ",
		attack_verdict_name(f->verdict), f->number);
	json_put_string(out, f->told);
	if (f->file) {
		fputs(", \"file\": ", out);
		json_put_string(out, f->file);
	}
	fputs(" }", out);
}

void attack_report_json(FILE *out, const struct attack_run *run, const char *command)
{
	fputs("{\n  \"command\": ", out);
	json_put_string(out, command);
	fprintf(out,
		",\n  \"kind\": \"%s\",\n  \"seed\": %" G_GUINT64_FORMAT
		",\n  \"inputs\": %" G_GUINT64_FORMAT ",\n  \"seconds\": %.3f,\n"
		"  \"answered\": %" G_GUINT64_FORMAT ",\n  \"ended_early\": %s,\n",
		run->source.kind->name, run->source.seed, run->done, run->seconds,
		run->source.messages ? run->taken : run->answered, run->over ? "true" : "false");
	fputs("  \"verdicts\": {", out);
	for (unsigned v = 0; v < ATTACK_N_VERDICTS; v++)
		fprintf(out, "%s \"%s\": %" G_GUINT64_FORMAT, v ? "," : "", attack_verdict_name(v),
			run->count[v]);
	fputs(" },\n  \"findings\": [", out);
	for (guint i = 0; i < run->findings->len; i++) {
		fputs(i ? ",\n    " : "\n    ", out);
		json_finding(out, &g_array_index(run->findings, struct attack_finding, i));
	}
	fputs("\n  ]\n}\n", out);
}

FILE *attack_file_open(const char *option, const char *path, GError **err)
{
	FILE *f = fopen(path, "we");

	if (!f)
		ringside_error_errno(err, errno, "%s %s", option, path);
	return f;
}

bool attack_file_close(FILE *f, const char *option, const char *path, GError **err)
{
	bool bad = ferror(f);

	return (fclose(f) == 0 && !bad) || ringside_error_errno(err, errno, "%s %s", option, path);
}
