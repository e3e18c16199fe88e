/*
 * The one reader of numbers, for whatever people, records and the kernel write in digits.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

/*
 * Reads digits of base (2 to 16; hexadecimal ones in lower case) at *at, stores the number in *n
 * and moves *at past them. -1, and nothing is stored, if there are none or the number exceeds max.
 * Unlike strtoull(3) it accepts no blanks, no sign and no prefix.
 */
static inline int number_read(const char **at, unsigned base, uint64_t max, uint64_t *n)
{
	const char *s = *at;
	uint64_t value = 0;

	for (;; s++) {
		unsigned digit = base;
		if (*s >= '0' && *s <= '9')
			digit = (unsigned) (*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			digit = (unsigned) (*s - 'a') + 10;
		if (digit >= base)
			break;
		if (digit > max || value > (max - digit) / base)
			return -1;
		value = value * base + digit;
	}
	if (s == *at)
		return -1;
	*at = s;
	*n = value;
	return 0;
}

#endif
