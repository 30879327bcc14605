/*
 * Loaded in front of libc (LD_PRELOAD), so that calls of a program that was built as it ships fail:
 * what the engine asks of the system is counted and failed here, below whatever interface it has.
 *
 *   FAULT_SHIM_PATH      calls on paths that hold this text count; nothing else is touched
 *   FAULT_SHIM_COUNTERS  a file that holds struct counters, shared with whoever looks on
 *   FAULT_SHIM_GATE      a FIFO (optional)
 *
 * The test writes `fail_at`, `error`, `persistent` and `kinds` there, before the program starts or while
 * it runs. With `gate` it asks for the next call of a kind to wait: the call opens the FIFO to read,
 * which makes the test's opening it to write a rendezvous, and goes on once the test has closed it.
 * With `hold` all calls of some kinds wait, as those to a disk that hangs, until it is taken back.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS = 4096 };

enum call { OPEN, READ, WRITE, SYNC, TRUNCATE, ALLOCATE, RENAME, UNLINK, LINK, MKDIR, CALLS };

struct counters {
    _Atomic uint64_t calls;          /* so far, of all kinds */
    _Atomic uint64_t fail_at;        /* the call that fails, from 1; 0: none */
    _Atomic uint32_t error;          /* errno of the failure; 0: a write is cut short */
    _Atomic uint32_t persistent;     /* all after it fail too */
    _Atomic uint64_t failed;         /* calls that were made to fail */
    _Atomic uint32_t kinds;          /* those that may fail, by their bits; 0: all */
    _Atomic uint32_t gate;           /* the kind whose next call waits, and one; 0: none */
    _Atomic uint64_t of_kind[CALLS]; /* calls of each kind */
    _Atomic uint32_t hold;           /* the kinds that wait, by their bits */
    _Atomic uint32_t held;           /* calls that do now */
};

static struct counters *counters;
static const char *watched_path;
static _Atomic bool watched[DESCRIPTORS]; /* by descriptor */

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAULT_SHIM_COUNTERS");
    watched_path = getenv("FAULT_SHIM_PATH");
    if (file == NULL || watched_path == NULL)
        return;
    int (*real_open)(const char *, int, ...) =
        (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int descriptor = real_open(file, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        abort();
    void *memory = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED)
        abort();
    counters = memory;
    close(descriptor);
}

static bool is_watched_path(const char *path) {
    return counters != NULL && strstr(path, watched_path) != NULL;
}

static bool is_watched(int descriptor) {
    return counters != NULL && descriptor >= 0 && descriptor < DESCRIPTORS &&
           atomic_load_explicit(&watched[descriptor], memory_order_relaxed);
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static void wait_at_gate(enum call call) {
    const char *path = getenv("FAULT_SHIM_GATE");
    uint32_t wanted = (uint32_t)call + 1;
    char byte;
    if (path == NULL || !atomic_compare_exchange_strong(&counters->gate, &wanted, 0))
        return;
    int descriptor = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        abort();
    while (read(descriptor, &byte, 1) > 0)
        continue;
    REAL(close)(descriptor);
}

/* Looks again and again: a mapped file is all that the test's language shares. */
static void wait_while_held(enum call call) {
    const struct timespec pause = {.tv_nsec = 1000000};
    if ((atomic_load(&counters->hold) >> call & 1) == 0)
        return;
    atomic_fetch_add(&counters->held, 1);
    while ((atomic_load(&counters->hold) >> call & 1) != 0)
        nanosleep(&pause, NULL);
    atomic_fetch_sub(&counters->held, 1);
}

/* Counts a call; true where it is to fail, with errno set. */
static bool fails(enum call call) {
    wait_at_gate(call);
    wait_while_held(call);
    uint64_t number = atomic_fetch_add(&counters->calls, 1) + 1;
    uint64_t at = atomic_load(&counters->fail_at);
    atomic_fetch_add(&counters->of_kind[call], 1);
    uint32_t kinds = atomic_load(&counters->kinds);
    if ((kinds != 0 && (kinds >> call & 1) == 0) || at == 0 || number < at ||
        (number > at && atomic_load(&counters->persistent) == 0))
        return false;
    atomic_fetch_add(&counters->failed, 1);
    errno = (int)atomic_load(&counters->error);
    return true;
}

static int note_opened(int descriptor) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS)
        atomic_store(&watched[descriptor], true);
    return descriptor;
}

/* ---- parameters are named as in libc's headers: clang-tidy compares them */

int open(const char *file, int oflag, ...) {
    va_list arguments;
    va_start(arguments, oflag);
    mode_t mode = (oflag & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!is_watched_path(file))
        return REAL(open)(file, oflag, mode);
    return fails(OPEN) ? -1 : note_opened(REAL(open)(file, oflag, mode));
}

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&watched[fd], false);
    return REAL(close)(fd);
}

ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset) {
    if (is_watched(fd) && fails(READ))
        return -1;
    return REAL(pread)(fd, buf, nbytes, offset);
}

ssize_t pwritev(int fd, const struct iovec *iovec, int count, off_t offset) {
    if (!is_watched(fd) || !fails(WRITE))
        return REAL(pwritev)(fd, iovec, count, offset);
    if (errno != 0)
        return -1;
    /* A half of the first part goes out, as the kernel may do at any time. */
    struct iovec half = {iovec->iov_base, (iovec->iov_len + 1) / 2};
    return REAL(pwritev)(fd, &half, 1, offset);
}

int fdatasync(int fildes) {
    return is_watched(fildes) && fails(SYNC) ? -1 : REAL(fdatasync)(fildes);
}

int fsync(int fd) {
    return is_watched(fd) && fails(SYNC) ? -1 : REAL(fsync)(fd);
}

int ftruncate(int fd, off_t length) {
    return is_watched(fd) && fails(TRUNCATE) ? -1 : REAL(ftruncate)(fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t len) {
    return is_watched(fd) && fails(ALLOCATE) ? -1 : REAL(fallocate)(fd, mode, offset, len);
}

int rename(const char *old, const char *new) {
    return is_watched_path(old) && fails(RENAME) ? -1 : REAL(rename)(old, new);
}

int unlink(const char *name) {
    return is_watched_path(name) && fails(UNLINK) ? -1 : REAL(unlink)(name);
}

int link(const char *from, const char *to) {
    return is_watched_path(from) && fails(LINK) ? -1 : REAL(link)(from, to);
}

int mkdir(const char *path, mode_t mode) {
    return is_watched_path(path) && fails(MKDIR) ? -1 : REAL(mkdir)(path, mode);
}
