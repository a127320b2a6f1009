/* otPlatLog is variadic, which Rust can call but not define. */
#include <stdarg.h>
#include <stdio.h>

void thread_sim_log(int level, const char *text);

void otPlatLog(int level, unsigned region, const char *format, ...)
{
    char    text[256];
    va_list arguments;

    (void)region;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    thread_sim_log(level, text);
}
