/*
 * One run of a guest: ourselves as a child, with guest-fw as its kernel. What is to be known comes
 * from two places: guest-fw's line on the serial port says how many requests it made and how long
 * that took; the child's --stats, how many exits, kicks and interrupts there were.
 */
#include "tools/bench/guest-impl.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/base/error.h"

#define PATIENCE_S 120u
#define DISK_BYTES (1 << 20)

/*
 * Files.
 */
static bool find_firmware(struct guest_files *files, const char *firmware, GError **err)
{
	static const char *const places[] = { "guest-fw/fw.elf", "../lib/ringside/fw.elf" };
	g_autofree char *dir = g_path_get_dirname(files->program);

	files->firmware = g_strdup(firmware);
	if (firmware && access(firmware, R_OK) < 0)
		return ringside_error_errno(err, errno, "--firmware %s", firmware);
	for (size_t i = 0; !files->firmware && i < G_N_ELEMENTS(places); i++) {
		g_autofree char *path = g_build_filename(dir, places[i], NULL);

		if (access(path, R_OK) == 0)
			files->firmware = g_steal_pointer(&path);
	}
	if (files->firmware)
		return true;
	return ringside_usage(err,
			      "--firmware: is needed, as guest-fw/fw.elf is not beside ringside");
}

bool guest_files_find(struct guest_files *files, const char *firmware, GError **err)
{
	int fd;
	bool ok;

	files->program = g_file_read_link("/proc/self/exe", err);
	if (!files->program || !find_firmware(files, firmware, err))
		return false;
	fd = g_file_open_tmp("ringside-bench-XXXXXX", &files->disk, err);
	if (fd < 0)
		return false;
	ok = ftruncate(fd, DISK_BYTES) == 0;
	if (!ok)
		ringside_error_errno(err, errno, "bench guest: %s", files->disk);
	close(fd);
	return ok;
}

void guest_files_drop(struct guest_files *files)
{
	if (files->disk)
		(void)unlink(files->disk);
	g_free(files->disk);
	g_free(files->firmware);
	g_free(files->program);
}

/*
 * A run.
 */

/* A guest that hangs in KVM is ended: the alarm survives the exec. */
static void set_alarm(gpointer unused)
{
	(void)unused;
	alarm(PATIENCE_S);
}

static char *last_line(const char *text)
{
	g_autofree char *copy = g_strchomp(g_strdup(text));
	const char *at = strrchr(copy, '\n');

	at = at ? at + 1 : copy;
	return g_strdup(g_str_has_prefix(at, "ringside: ") ? at + strlen("ringside: ") : at);
}

/* The line of @text that begins with @word, behind that; NULL if there is none. */
static const char *line_after(const char *text, const char *word)
{
	while (text && !g_str_has_prefix(text, word)) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text ? text + strlen(word) : NULL;
}

/* Numbers, and words that are skipped, with blanks between: "-" is a number that is not known. */
static bool next_number(const char **text, uint64_t *ret)
{
	while (**text && **text != '\n') {
		const char *at = *text + strspn(*text, " ");
		size_t n = strcspn(at, " \r\n");

		*text = at + n;
		if (n == 1 && *at == '-')
			return false;
		if (n && g_ascii_isdigit(*at)) {
			*ret = g_ascii_strtoull(at, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool read_counts(const char *said, const char *stats, struct guest_counts *ret)
{
	const char *guest = line_after(said, "bench:"), *cpu = line_after(stats, "vcpu0");
	const char *queue = line_after(stats, "disk/0");

	*ret = (struct guest_counts){ 0 };
	if (!guest || !cpu || !queue)
		return false;
	if (!next_number(&guest, &ret->requests) || !next_number(&guest, &ret->ticks) ||
	    !next_number(&cpu, &ret->to_process))
		return false;
	ret->exits_known = next_number(&cpu, &ret->exits);
	return next_number(&queue, &ret->kicks) && next_number(&queue, &ret->interrupts);
}

/* By the exit status (ringside help): this host failed, or KVM could not go on, or shut down. */
static bool kvm_is_to_blame(int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	return code == 1 || code == 4 || code == 5;
}

static char **make_argv(const struct guest_files *files, const struct guest_variant *v,
			uint64_t requests)
{
	bool mmio = v->at[GUEST_TRANSPORT], irq = v->at[GUEST_WAIT];
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	char *append, *device;

	append = g_strdup_printf("bench ring=%s irq=%s batch=%u requests=%" G_GUINT64_FORMAT,
				 v->at[GUEST_RING] ? "packed" : "split",
				 !irq   ? "poll"
				 : mmio ? "line"
					: "msi-x",
				 v->at[GUEST_BATCH], requests);
	device = g_strdup_printf("blk,id=disk,path=%s,ro=on,queues=1,queue-size=256,ring=packed,"
				 "iothread=disk,transport=%s",
				 files->disk, mmio ? "mmio" : "pci");
	for (const char *const *word =
		     (const char *[]){ files->program, "run", "--stats", "--memory", "64M",
				       "--kernel", files->firmware, "--append", NULL };
	     *word; word++)
		g_ptr_array_add(argv, g_strdup(*word));
	g_ptr_array_add(argv, append);
	g_ptr_array_add(argv, g_strdup("--device"));
	g_ptr_array_add(argv, device);
	g_ptr_array_add(argv, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

bool guest_run(const struct guest_files *files, const struct guest_variant *v, uint64_t requests,
	       struct guest_counts *ret, GError **err)
{
	g_auto(GStrv) argv = make_argv(files, v, requests);
	g_autofree char *said = NULL, *complaint = NULL, *why = NULL;
	int status;

	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, set_alarm, NULL, &said, &complaint,
			  &status, err)) {
		g_prefix_error(err, "bench guest: ");
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && read_counts(said, complaint, ret))
		return true;
	why = last_line(complaint);
	if (g_str_has_prefix(why, "--kernel: ")) /* what is our option there is another one here */
		return ringside_usage(err, "--firmware%s", why + strlen("--kernel"));
	g_set_error(err, RINGSIDE_ERROR, RINGSIDE_ERROR_HOST, "bench guest: %s%s",
		    *why ? why : "the guest was ended from outside",
		    kvm_is_to_blame(status) ? "; tools/kvm-box has a KVM that runs guests anywhere"
					    : "");
	return false;
}
