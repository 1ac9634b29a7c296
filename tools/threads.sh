# To be sourced: what a process that takes too long is at.
# shellcheck shell=bash

# threads_of PID: a line for each of its threads, whether it runs, and else in which of the kernel's functions it waits
threads_of()
{
	local task
	for task in /proc/"$1"/task/*; do
		echo "thread $(<"$task/comm"): $(sed -n 's/^State:\t//p' "$task/status"), waits in $(<"$task/wchan")"
	done
}
