/*
 * Text that others have written, for a message: a question mark for whatever could play with a
 * terminal, and for what is not ASCII.
 */
#ifndef PRINTABLE_H
#define PRINTABLE_H

static inline void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

#endif
