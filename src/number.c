#include "number.h"

char *number_write(char *at, uint64_t n)
{
	char digits[NUMBER_SIZE - 1];
	int count = 0;

	do
		digits[count++] = (char) ('0' + n % 10);
	while ((n /= 10) != 0);
	while (count > 0)
		*at++ = digits[--count];
	*at = '\0';
	return at;
}

int number_read(const char **at, uint64_t max, uint64_t *n)
{
	const char *s = *at;
	uint64_t value = 0;

	if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9'))
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		uint64_t digit = (uint64_t) (*s - '0');
		if (value > (max - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	*at = s;
	*n = value;
	return 0;
}
