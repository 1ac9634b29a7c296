/* What events are called. */
#include "tools/trace/sink.h"

static const char *const names[N_RECORD_TYPES] = {
	[RECORD_DEVICE] = "device",
	[RECORD_THREAD] = "thread",
	[RECORD_LOST] = "lost",
	[RECORD_READ] = "read",
	[RECORD_WRITE] = "write",
	[RECORD_STATUS] = "status",
	[RECORD_FEATURES] = "features",
	[RECORD_CONFIG_READ] = "config-read",
	[RECORD_CONFIG_WRITE] = "config-write",
	[RECORD_CONFIG_INTERRUPT] = "config-interrupt",
	[RECORD_RULE] = "rule",
	[RECORD_QUEUE_START] = "queue-start",
	[RECORD_QUEUE_STOP] = "queue-stop",
	[RECORD_KICK] = "kick",
	[RECORD_POPPED] = "popped",
	[RECORD_UNPOPPED] = "unpopped",
	[RECORD_PUSHED] = "pushed",
	[RECORD_INTERRUPT] = "interrupt",
	[RECORD_SUPPRESSED] = "suppressed",
	[RECORD_FAULT] = "fault",
	[RECORD_PAYLOAD] = "payload",
	[RECORD_DIGEST] = "digest",
	[RECORD_END] = "end",
	[RECORD_OPTIONS] = "options",
	[RECORD_OFFER] = "offer",
};

const char *trace_type_name(enum record_type type)
{
	return type < N_RECORD_TYPES && names[type] ? names[type] : "unknown";
}

bool trace_type_find(const char *name, enum record_type *ret)
{
	for (unsigned i = 0; i < N_RECORD_TYPES; i++)
		if (names[i] && strcmp(names[i], name) == 0) {
			*ret = i;
			return true;
		}
	return false;
}
