/*
 * FNV-1a, 64 bits: small, quick on short input, the same on every machine. It need not resist an
 * adversary: forging a mark takes a file to lock on the same file system (displaced.h).
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_bytes(uint64_t h, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	while (length-- > 0)
		h = (h ^ *at++) * UINT64_C(0x100000001b3);
	return h;
}

/* To 30 bits. */
#define HASH_FOLDED ((UINT64_C(1) << 30) - 1)
static inline uint64_t hash_fold(uint64_t hash)
{
	return (hash ^ hash >> 32) & HASH_FOLDED;
}

#endif
