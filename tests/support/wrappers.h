/*
 * Wrappers for tests (devices/backend/spec.h), in front of networks and streams:
 *
 *	drop[:every=N]   each Nth frame, either way, or each Nth byte written, never arrives
 *	slow             half of what is asked for has to wait: send() and frame()
 *	                 refuse every second frame until a millisecond later, a stream takes one
 *	                 byte and then none for as long
 */
#pragma once

#include "devices/backend/spec.h"

extern const struct backend_wrapper *const test_wrappers[]; /* ends with NULL */
