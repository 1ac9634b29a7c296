/* The fake board (tools/fuzz/links/board-fake.h) on real eventfds: a transport's mistake fails
 * the test. */
#pragma once

#include "tools/fuzz/links/board-fake.h"

struct board_fake *board_fake_new(bool regpage);
