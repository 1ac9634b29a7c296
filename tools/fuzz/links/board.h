/* The fake board on the harness's eventfds: what it does is part of the trace, a transport's
 * mistake is a bug found. */
#pragma once

#include "tools/fuzz/links/board-fake.h"

struct board_fake *fuzz_board_new(bool regpages);
