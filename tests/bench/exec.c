/*
 * exec IGNORED /PATH/TO/COMMAND [ARG...]: the least that a program of the C library can do in front
 * of a command.
 */
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 64;
	execv(argv[2], argv + 2);
	return 127;
}
