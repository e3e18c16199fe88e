/*
 * FNV-1a, 64 bits: small, quick on short input, the same on every machine. Not against an
 * adversary: what is hashed here only tells apart what nobody gains by confusing.
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

#endif
