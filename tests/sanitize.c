/* Linked in with SANITIZE=1: memory that lives until exec or exit is no leak. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
