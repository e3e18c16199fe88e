/*
 * What several rooms need to do with a descriptor.
 */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

/* close(2) for paths that still have an errno to report. */
void descriptor_close(int fd);

/* "/proc/self/FOLDER/FD" in path, which has room for DESCRIPTOR_PATH; folder is fd or fdinfo. */
enum { DESCRIPTOR_PATH = sizeof "/proc/self/fdinfo/2147483647" };
void descriptor_path(char *path, const char *folder, int fd);

#endif
