/* JSON that is printed, where no more of it is needed than a report's few lines. */
#pragma once

#include <stdio.h>

/* @text as a JSON string, with its quotes; its bytes are taken for UTF-8. */
void json_put_string(FILE *out, const char *text);
