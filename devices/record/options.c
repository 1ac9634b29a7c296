/* What --record says. */
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/record/record-int.h"

#define HEAD "head="

static bool parse_payload(const char *value, struct record_options *ret)
{
	ret->most = UINT64_MAX;
	if (strcmp(value, "none") == 0) {
		ret->payload = RECORD_PAYLOAD_NONE;
	} else if (strcmp(value, "digest") == 0) {
		ret->payload = RECORD_PAYLOAD_DIGESTS;
	} else if (strcmp(value, "all") == 0) {
		ret->payload = RECORD_PAYLOAD_BYTES;
	} else if (g_str_has_prefix(value, HEAD)) {
		ret->payload = RECORD_PAYLOAD_BYTES;
		return prop_size(value + strlen(HEAD), &ret->most) && ret->most;
	} else {
		return false;
	}
	return true;
}

bool record_options_parse(const char *spec, const char *context, struct record_options *ret,
			  GError **err)
{
	g_autofree char *file = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &file);
	struct record_options o = { .payload = RECORD_PAYLOAD_NONE };

	if (!file || !*file)
		return ringside_usage(err,
				      "%s %s: it takes FILE, or "
				      "FILE,payload=none|digest|head=BYTES|all",
				      context, spec);
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (strcmp(pair->key, "payload") != 0)
			return ringside_usage(err,
					      "%s %s,%s: not known; it takes payload=", context,
					      file, pair->key);
		if (!pair->value || !parse_payload(pair->value, &o))
			return ringside_usage(
				err, "%s %s,payload=%s: it takes none, digest, head=BYTES or all",
				context, file, pair->value ? pair->value : "");
	}
	o.file = g_steal_pointer(&file);
	*ret = o;
	return true;
}
