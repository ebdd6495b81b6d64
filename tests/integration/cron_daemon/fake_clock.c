/* A clock for a cron daemon that runs as fast as it can: years in seconds.
 *
 * Preloaded into the real, unchanged daemon. Time stands still, but for sleep(), which moves it at once. The daemon sees
 * the stretches of FAKE_CLOCK ("begin-end,begin-end", seconds since 1970) one after the other, which is a clock that
 * was set; after the last one it ends. A job starts when the daemon's process for it logs "CMD": that is noted in
 * /fires as "<seconds> <command>", and the process ends before it runs anything. All that it logs goes to stderr too.
 *
 * Between starts that it catches up, the daemon sleeps 10 s, or less when the job ends before. Jobs end at once here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define CATCH_UP_SLEEP_SECONDS 10
#define MOST_STRETCHES 4096

static time_t now;
static struct { time_t begin, end; } stretches[MOST_STRETCHES];
static int count, current;

__attribute__((constructor)) static void start_clock(void) {
	char *text = getenv("FAKE_CLOCK");
	while (text && *text && count < MOST_STRETCHES) {
		char *rest;
		stretches[count].begin = strtoll(text, &rest, 10);
		stretches[count++].end = strtoll(rest + 1, &rest, 10);
		text = *rest == ',' ? rest + 1 : rest;
	}
	if (count == 0)
		_exit(99);
	now = stretches[0].begin;
}

static void advance(time_t seconds) {
	int status;
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
	if (seconds == CATCH_UP_SLEEP_SECONDS)
		return;
	now += seconds;
	if (now > stretches[current].end) {
		if (++current == count)
			_exit(0);
		now = stretches[current].begin;
	}
}

time_t time(time_t *out) {
	if (out)
		*out = now;
	return now;
}

int gettimeofday(struct timeval *out, void *zone) {
	(void) zone;
	out->tv_sec = now;
	out->tv_usec = 0;
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *out) {
	(void) clock;
	out->tv_sec = now;
	out->tv_nsec = 0;
	return 0;
}

unsigned int sleep(unsigned int seconds) {
	advance(seconds);
	return 0;
}

static void note(const char *format, va_list arguments) {
	char text[4096], line[4096], *begin, *end;
	int fires;
	vsnprintf(text, sizeof text, format, arguments);
	dprintf(2, "%s\n", text);
	if (!(begin = strstr(text, ") CMD (")))
		return;
	begin += strlen(") CMD (");
	if ((end = strrchr(begin, ')')))
		*end = 0;
	fires = open("/fires", O_WRONLY | O_APPEND | O_CREAT, 0644);
	snprintf(line, sizeof line, "%lld %s\n", (long long) now, begin);
	if (write(fires, line, strlen(line)) < 0)
		_exit(98);
	_exit(0);
}

void syslog(int priority, const char *format, ...) {
	va_list arguments;
	(void) priority;
	va_start(arguments, format);
	note(format, arguments);
	va_end(arguments);
}

void __syslog_chk(int priority, int flag, const char *format, ...) {
	va_list arguments;
	(void) priority;
	(void) flag;
	va_start(arguments, format);
	note(format, arguments);
	va_end(arguments);
}

/* Debian's cron opens a PAM session for each job; whoever it is, is welcome here. */
int pam_start(const char *service, const char *user, const void *talk, void **handle) {
	(void) service, (void) user, (void) talk;
	*handle = (void *) 1;
	return 0;
}

int pam_set_item(void *handle, int item, const void *value) { (void) handle, (void) item, (void) value; return 0; }
int pam_acct_mgmt(void *handle, int flags) { (void) handle, (void) flags; return 0; }
int pam_setcred(void *handle, int flags) { (void) handle, (void) flags; return 0; }
int pam_open_session(void *handle, int flags) { (void) handle, (void) flags; return 0; }
int pam_close_session(void *handle, int flags) { (void) handle, (void) flags; return 0; }
int pam_end(void *handle, int status) { (void) handle, (void) status; return 0; }
char **pam_getenvlist(void *handle) { (void) handle; return calloc(1, sizeof(char *)); }
