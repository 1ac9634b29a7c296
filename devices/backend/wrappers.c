/* The wrappers that a spec may name. To add one: a row, by name (devices/backend/spec.h). */
#include "devices/backend/spec.h"

#define WRAPPERS(ROW) ROW(fault)

#define DECLARE(name) extern const struct backend_wrapper name##_wrapper;
#define ENTRY(name)   &name##_wrapper,

WRAPPERS(DECLARE)

const struct backend_wrapper *const backend_wrappers[] = { WRAPPERS(ENTRY) NULL };
