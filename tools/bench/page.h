/*
 * A page with charts and figures. It needs nothing but itself, and follows the reader's choice of
 * dark or light.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* Opens the file of --html @path for writing: one that cannot be is known before a minute of
 * measuring, not after it. False with an error. */
bool page_open(const char *path, FILE **ret_page, GError **err);

/* Was all of it written? Closes it. */
bool page_close(const char *path, FILE *page, GError **err);

/* Up to a paragraph that has begun: the command and the processor are its first lines. */
void page_begin(FILE *page, const char *title, const char *command, const char *cpu);
void page_end(FILE *page);
