/**
 * Lock files: one program at a time owns a place. The file holds the owner's process id and stays;
 * removing it would let two programs lock two files of one name. The lock ends with the program.
 */
#ifndef LP_BASE_LOCKFILE_H
#define LP_BASE_LOCKFILE_H

#include "base/err.h"

/**
 * Locks path (made when absent, mode 0600, no symbolic link) and writes our process id.
 * A holder that was killed and is still being taken down by the kernel (threads in device I/O keep
 * its files for a moment) is waited for, at most some seconds; a living one is not.
 * @param what  for the message: "<what> is in use by process <pid>"
 * @return LP_CONFLICT naming the holder; LP_STORE when the file cannot be opened or written
 */
enum lp_code lp_lockfile_take(const char *path, const char *what, int *fd,
                              struct lp_err *err) LP_MUST_CHECK;

/** Gives the lock back; *fd < 0 is accepted and becomes -1. */
void lp_lockfile_drop(int *fd);

#endif
