/*
 * An open file as /proc shows it: its mount, the numbers that stand for it in the kernel's lists,
 * and the locks on it.
 *
 * None of these numbers is the file's identity: /proc/locks and fdinfo show the device of the super
 * block and the inode, and on btrfs (subvolumes) and overlayfs (layers) two files can share both.
 * What tells two files apart is st_dev and st_ino of stat(2), which can also be asked of another
 * process's descriptor.
 */
#ifndef FDINFO_H
#define FDINFO_H

#include "procfs.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * Reads /proc/self/fdinfo/FD into text of FDINFO_SIZE: cut off there, but the locks come first. -1
 * with errno, ENOENT if there is no /proc.
 */
enum { FDINFO_SIZE = 4096 };
int fdinfo_read(int fd, char *text);

/* "/proc/self/fd/FD" in path, which has room for FDINFO_PATH. */
enum { FDINFO_PATH = 32 };
void fdinfo_path(char *path, int fd);

/*
 * The mount that fd's file is on: 1, and *text is to be freed when *m is no longer needed. 0 if
 * that cannot be told: no /proc, or a mount outside our root directory (chroot). -1 with errno.
 */
int fdinfo_mount(int fd, struct procfs_mount *m, char **text);

/*
 * The numbers by which the kernel's lists show locks on fd's file: 1 if stat(2) tells the same
 * ones, so that no other file has them, else 0. -1 with errno.
 */
int fdinfo_numbers(int fd, struct procfs_lock *numbers);

/* The mnt_id of the mount that fd's file is on; UINT64_MAX if that is not known. */
uint64_t fdinfo_mount_id(int fd);

bool is_same_file(const struct stat *a, const struct stat *b);

#endif
