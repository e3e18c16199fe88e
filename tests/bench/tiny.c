/*
 * The command that is guarded here: ends at once and costs next to nothing, so that what is
 * measured is the wrapper. Without a libc, as bare.c.
 */
__attribute__((naked, noreturn)) void _start(void);

void _start(void)
{
	__asm__("mov $60, %eax\n\t" /* exit */
		"xor %edi, %edi\n\t"
		"syscall");
}
