/* Bar charts: see chart.h. Sizes are in the SVG's own units; the page scales it. */
#include "tools/bench/chart.h"

#include <math.h>

#define WIDTH  640
#define LEFT   56
#define RIGHT  16
#define TOP    28
#define HEIGHT 220 /* of the columns */
#define BOTTOM 44
#define ROW    44  /* of a group of lying bars */
#define LABEL  170 /* beside them */
#define FIGURE 56  /* room for a number beside a bar */

static double largest(const struct chart *c)
{
	double max = 0;

	for (unsigned s = 0; s < CHART_SERIES; s++)
		for (unsigned i = 0; i < c->n; i++)
			if (!isnan(c->value[s][i]))
				max = fmax(max, fmax(fabs(c->value[s][i]), c->high[s][i]));
	return max > 0 ? max : 1;
}

/* A round distance between grid lines, for about four of them up to @max. */
static double grid_step(double max)
{
	double power = pow(10, floor(log10(max / 4)));
	double part = max / 4 / power;

	return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static void chart_begin(FILE *out, const struct chart *c, double height)
{
	fprintf(out, "<figure>\n<figcaption><b>%s</b> %s</figcaption>\n", c->title, c->note);
	fprintf(out, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
		height, c->title);
	for (unsigned s = 0; s < CHART_SERIES && c->series[s]; s++) {
		int x = LEFT + (int)s * 110;

		fprintf(out,
			"<rect class=\"s%u\" x=\"%d\" y=\"4\" width=\"12\" height=\"12\" rx=\"2\"/>"
			"<text x=\"%d\" y=\"15\">%s</text>\n",
			s, x, x + 18, c->series[s]);
	}
}

static void chart_end(FILE *out)
{
	fputs("</svg>\n</figure>\n", out);
}

static int decimals_for(double value)
{
	return fabs(value) < 10 ? 1 : 0;
}

/* From one quartile to the other, over the middle of a column, whose figure is above. */
static void chart_whisker(FILE *out, double x, double low, double high)
{
	fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8\"/>\n", x,
		low, high, x - 4, low, x - 4, high);
}

void chart_columns(FILE *out, const struct chart *c)
{
	double step = grid_step(largest(c)), max = ceil(largest(c) * 1.05 / step) * step;
	double group = (WIDTH - LEFT - RIGHT) / (double)c->n;
	double bar = fmin(group * 0.36, 56);

	chart_begin(out, c, TOP + HEIGHT + BOTTOM);
	for (unsigned i = 0; step * i <= max; i++) {
		double at = step * i;
		double y = TOP + HEIGHT * (1 - at / max);

		fprintf(out,
			"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"r\" x=\"%d\" y=\"%.1f\">%g</text>\n",
			LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, at);
	}
	for (unsigned i = 0; i < c->n; i++) {
		double middle = LEFT + group * (i + 0.5);

		for (unsigned s = 0; s < CHART_SERIES; s++) {
			double v = c->value[s][i];
			double x = middle + (!c->series[1] ? -bar / 2 : s ? 1 : -1 - bar);
			double high = HEIGHT * v / max, top = fmax(v, c->high[s][i]);

			if (isnan(v))
				continue;
			fprintf(out,
				"<rect class=\"s%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
				"height=\"%.1f\"/><text class=\"m\" x=\"%.1f\" y=\"%.1f\">%.*f"
				"</text>\n",
				s, x, TOP + HEIGHT - high, bar, high, x + bar / 2,
				TOP + HEIGHT * (1 - top / max) - 4, decimals_for(v), v);
			if (c->high[s][i] > 0)
				chart_whisker(out, x + bar / 2,
					      TOP + HEIGHT * (1 - c->low[s][i] / max),
					      TOP + HEIGHT * (1 - c->high[s][i] / max));
		}
		fprintf(out, "<text class=\"m\" x=\"%.1f\" y=\"%d\">%s</text>\n", middle,
			TOP + HEIGHT + 18, c->label[i]);
	}
	fprintf(out, "<text class=\"m dim\" x=\"%d\" y=\"%d\">%s</text>\n", (WIDTH + LEFT) / 2,
		TOP + HEIGHT + 36, c->axis);
	chart_end(out);
}

static void lying_bar(FILE *out, unsigned series, double y, double value, double scale)
{
	double zero = LABEL + FIGURE + (WIDTH - LABEL - 2 * FIGURE) / 2.0;
	double width = fabs(value) * scale, x = value < 0 ? zero - width : zero;

	fprintf(out,
		"<rect class=\"s%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\"/>"
		"<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%+.*f%%</text>\n",
		series, x, y, width, value < 0 ? "r" : "l", value < 0 ? x - 4 : x + width + 4,
		y + 12, decimals_for(value), value);
}

void chart_changes(FILE *out, const struct chart *c)
{
	double room = (WIDTH - LABEL - 2 * FIGURE) / 2.0;
	double scale = room / largest(c), zero = LABEL + FIGURE + room;
	double height = TOP + ROW * (double)c->n;

	chart_begin(out, c, height + 4);
	fprintf(out, "<line class=\"zero\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\"/>\n", zero,
		zero, TOP, height);
	for (unsigned i = 0; i < c->n; i++) {
		double y = TOP + ROW * (double)i + 4;

		fprintf(out, "<text class=\"r\" x=\"%d\" y=\"%.1f\">%s</text>\n", LABEL, y + 20,
			c->label[i]);
		for (unsigned s = 0; s < CHART_SERIES; s++)
			if (!isnan(c->value[s][i]))
				lying_bar(out, s, y + 17 * s, c->value[s][i], scale);
	}
	chart_end(out);
}
