/* VERSION: what the client's side can do, as a text of JSON, and ours. */
#include <stdlib.h>
#include <string.h>

#include "transport/vfio-user/impl.h"
#include "transport/vfio-user/json.h"

#define DEFAULT_MSG_FDS 1u
#define DEFAULT_XFER    (1u << 20)
#define XFER_MIN        16u /* what must be written in one is shorter */

struct vfu_capabilities {
	unsigned max_msg_fds;
	uint32_t max_xfer;
	bool write_multiple;
};

static bool vfu_is_called(const struct vfu_json_name *name, const char *text)
{
	return name->len == strlen(text) && memcmp(name->text, text, name->len) == 0;
}

/* What is not known, or is not of the kind that it should be, is passed over. */
static void vfu_capability(void *opaque, const struct vfu_json_name *path, unsigned depth,
			   const char *value, size_t len)
{
	struct vfu_capabilities *ret = opaque;
	struct vfu_json_name word = { value, len };

	if (depth != 2 || !vfu_is_called(&path[0], "capabilities"))
		return;
	if (vfu_is_called(&path[1], "max_msg_fds"))
		ret->max_msg_fds = (unsigned)CLAMP(strtol(value, NULL, 10), 0, (long)MSG_FDS_MAX);
	if (vfu_is_called(&path[1], "max_data_xfer_size"))
		ret->max_xfer = (uint32_t)CLAMP(strtol(value, NULL, 10), 0, (long)UINT32_MAX);
	if (vfu_is_called(&path[1], "write_multiple"))
		ret->write_multiple = vfu_is_called(&word, "true");
}

static void vfu_answer_version(const struct vfu_capabilities *client, struct vfu_message *m)
{
	struct vfu_version *answer = &m->p->version;
	gulong room = VFU_PAYLOAD - sizeof(*answer);

	answer->major = answer->minor = 0;
	m->size = (uint32_t)sizeof(*answer) + 1 +
		  (uint32_t)g_snprintf(answer->data, room,
				       "{\"capabilities\":{\"max_msg_fds\":%u,"
				       "\"max_data_xfer_size\":%u,\"max_dma_maps\":%u,"
				       "\"pgsizes\":4096%s}}",
				       MSG_FDS_MAX, VFU_XFER, GMEM_REGIONS_MAX,
				       client->write_multiple ? ",\"write_multiple\":true" : "");
}

const char *vfu_version(struct vfio_user *v, struct vfu_message *m)
{
	const struct vfu_version *said = &m->p->version;
	struct vfu_capabilities client = { .max_msg_fds = DEFAULT_MSG_FDS,
					   .max_xfer = DEFAULT_XFER };
	size_t text = m->size - sizeof(*said);

	if (v->versioned)
		return "once more";
	if (said->major != 0)
		return "another major version than 0";
	if (text && (said->data[text - 1] || !vfu_json_read(said->data, vfu_capability, &client)))
		return "capabilities that are no object of JSON";
	if (client.max_xfer < XFER_MIN)
		return "a max_data_xfer_size that no access fits in";
	v->versioned = true;
	v->accesses.max_bytes = MIN(client.max_xfer, VFU_XFER);
	v->max_msg_fds = client.max_msg_fds;
	vfu_answer_version(&client, m);
	return NULL;
}
