# shellcheck shell=bash
# tools/progress.sh, to be sourced by scripts that take long: a line of progress with the time left, on standard error if
# that is a terminal, else nothing at all. It is written over itself and gone before anything else is said.
#
#	progress_start TEXT [WHAT]		from now on: TEXT and the time; the time left, if WHAT was ever done here
#	progress_start_bytes TEXT DIR BYTES	likewise, by how much there is in the files of DIR of BYTES
#	progress_done				that is done; so it is when the next thing is started
#	progress_stop				the line goes away; before anything is printed, as often as you like
#	progress_line TEXT			shows TEXT, once; progress_stop takes that away, too
#	progress_time SECONDS			"45 s", "3 min 20 s"
#	progress_left DONE ALL SECONDS		", 20 s left" when DONE of ALL took SECONDS; nothing if that tells nothing
#	progress_learn WHAT SECONDS		remembers how long WHAT took here
#	progress_known WHAT			the seconds; nothing if it was never done

_progress_ticker='' _progress_shown='' _progress_what='' _progress_began=0
_progress_store=${BASH_SOURCE[0]%/*}/../build/progress

progress_time()
{
	if (($1 < 100)); then
		printf '%d s' "$1"
	elif (($1 < 3600)); then
		printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
	else
		printf '%d h %02d min' $(($1 / 3600)) $(($1 / 60 % 60))
	fi
}

progress_left()
{
	# a fiftieth tells nothing of the rest
	if (($3 < 1 || $1 * 50 < $2 || $1 <= 0 || $1 > $2)); then return 0; fi
	printf ', %s left' "$(progress_time $(($3 * ($2 - $1) / $1)))"
}

progress_line()
{
	local size columns=80
	[ -t 2 ] || return 0
	size=$(stty size <&2 2>/dev/null) && [ "${size#* }" -gt 20 ] && columns=${size#* }
	# in the last column a terminal goes on to the next line
	printf '\r%.*s\033[K' $((columns - 1)) "$1" >&2
	_progress_shown=1
}

progress_learn()
{
	{ mkdir -p "$_progress_store" && echo "$2" >"$_progress_store/${1//\//+}"; } 2>/dev/null || true
}

progress_known() { [ -z "$1" ] || cat "$_progress_store/${1//\//+}" 2>/dev/null || true; }

# _progress_tick PARENT LINE-FUNCTION ARG...: until it is killed, or its parent is
_progress_tick()
{
	local parent=$1 begin=$SECONDS
	shift
	trap - EXIT
	while sleep 0.5; kill -0 "$parent" 2>/dev/null; do
		progress_line "$("$@" $((SECONDS - begin)))"
	done
	printf '\r\033[K' >&2
}

# TEXT GUESS ELAPSED
_progress_by_time()
{
	local left=''
	if [ -n "$2" ] && (($3 < $2)); then left=", $(progress_time $(($2 - $3))) left"; fi
	printf '%s: %s%s' "$1" "$(progress_time "$3")" "$left"
}

# TEXT DIR BYTES ELAPSED
_progress_by_bytes()
{
	local have
	have=$(find "$2" -type f -printf '%s\n' 2>/dev/null | awk '{ s += $1 } END { printf "%d", s }')
	printf '%s: %d of %d MB%s' "$1" $((${have:-0} / 1000000)) $(($3 / 1000000)) "$(progress_left "${have:-0}" "$3" "$4")"
}

# Its own process, so that the work stays where it was: in the foreground, with errexit and Ctrl-C as ever.
_progress_begin()
{
	[ -t 2 ] || return 0
	_progress_tick "$BASHPID" "$@" </dev/null >/dev/null &
	_progress_ticker=$!
}

progress_start()
{
	progress_done
	_progress_what=${2:-} _progress_began=$SECONDS
	_progress_begin _progress_by_time "$1" "$(progress_known "${2:-}")"
}

progress_start_bytes()
{
	progress_done
	_progress_begin _progress_by_bytes "$1" "$2" "$3"
}

progress_done()
{
	[ -z "$_progress_what" ] || progress_learn "$_progress_what" $((SECONDS - _progress_began))
	progress_stop
}

progress_stop()
{
	if [ -n "$_progress_ticker" ]; then
		kill "$_progress_ticker" 2>/dev/null || true
		wait "$_progress_ticker" 2>/dev/null || true
		_progress_shown=1
	fi
	[ -z "$_progress_shown" ] || printf '\r\033[K' >&2
	_progress_ticker='' _progress_shown='' _progress_what=''
}
