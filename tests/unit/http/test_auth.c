/*
 * What keys allow, and that the way to find out is the same whatever the key: a traced process runs the
 * comparison one instruction at a time, and the addresses of these are what is compared. No clock is
 * asked, so that the outcome is the same on any machine.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/auth.h"
#include "text/secret.h"

#if defined(__x86_64__)
#include <sys/user.h>
#define PROGRAM_COUNTER(registers) ((registers).rip)
#define CAN_TRACE 1
#else
#define CAN_TRACE 0
#endif

enum { DIGEST = 32, STEPS_MAX = 1000000 };

/* ---------------------------------------------------------------------------------- tracing -- */

/* The instructions that ran: how many, and a hash of where they lie. */
struct path {
    uint64_t steps, hash;
};

#if CAN_TRACE

/* Between two stops of the child's. */
static struct path follow(pid_t child) {
    struct path path = {0, UINT64_C(14695981039346656037)};
    int status;
    struct user_regs_struct registers;
    do {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &registers), 0);
        path.hash = (path.hash ^ PROGRAM_COUNTER(registers)) * UINT64_C(1099511628211);
        assert_true(++path.steps < STEPS_MAX);
    } while (WSTOPSIG(status) == SIGTRAP);
    return path;
}

/*
 * Runs work(context, i) for each i below `count` in a process of its own, twice to warm up, then once traced
 * into paths[i]. False where processes may not be traced here.
 */
static bool trace(void (*work)(void *, size_t), void *context, size_t count, struct path *paths) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(1);
        for (size_t warm = 0; warm < 2 * count; warm++)
            work(context, warm % count);
        for (size_t i = 0;; i++) { /* one place to stop at, on the way to which nothing differs */
            raise(SIGSTOP);
            if (i == count)
                _exit(0);
            work(context, i);
        }
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool traced = WIFSTOPPED(status);
    for (size_t i = 0; traced && i < count; i++)
        paths[i] = follow(child);
    if (traced) {
        ptrace(PTRACE_KILL, child, NULL, NULL);
        waitpid(child, &status, 0);
    }
    return traced;
}

static void expect_one_path(void (*work)(void *, size_t), void *context, size_t count) {
    struct path *paths = calloc(count, sizeof *paths);
    if (!trace(work, context, count, paths)) {
        free(paths);
        skip();
    }
    assert_true(paths[0].steps > 100);
    for (size_t i = 1; i < count; i++) {
        assert_int_equal(paths[i].steps, paths[0].steps);
        assert_true(paths[i].hash == paths[0].hash);
    }
    free(paths);
}

#else

static void expect_one_path(void (*work)(void *, size_t), void *context, size_t count) {
    (void)work, (void)context, (void)count;
    skip();
}

#endif

/* --------------------------------------------------------------------------------- comparing -- */

/* Pairs of digests: 0 are the same, i differ in byte i - 1, and the last pair in all. */
struct pairs {
    uint8_t one[DIGEST], other[DIGEST + 2][DIGEST];
    volatile unsigned same;
};

static void make_pairs(struct pairs *pairs) {
    for (size_t i = 0; i < DIGEST; i++)
        pairs->one[i] = (uint8_t)(i * 37);
    for (size_t pair = 0; pair < DIGEST + 2; pair++)
        memcpy(pairs->other[pair], pairs->one, DIGEST);
    for (size_t i = 0; i < DIGEST; i++) {
        pairs->other[i + 1][i] ^= (uint8_t)(1 << i % 8);
        pairs->other[DIGEST + 1][i] ^= 0xff;
    }
}

static void secrets_are_the_same_if_every_bit_is(void **state) {
    (void)state;
    struct pairs pairs;
    make_pairs(&pairs);
    assert_int_equal(fl_secret_same(pairs.one, pairs.other[0], DIGEST), ~0u);
    for (size_t bit = 0; bit < (size_t)DIGEST * 8; bit++) {
        uint8_t other[DIGEST];
        memcpy(other, pairs.one, DIGEST);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(fl_secret_same(pairs.one, other, DIGEST), 0);
    }
    assert_int_equal(fl_secret_same(pairs.one, pairs.other[DIGEST + 1], DIGEST), 0);
    assert_int_equal(fl_secret_same(pairs.one, pairs.other[1], 0), ~0u);
}

static void compare(void *context, size_t pair) {
    struct pairs *pairs = context;
    pairs->same = fl_secret_same(pairs->one, pairs->other[pair], DIGEST);
}

static void wherever_secrets_differ_the_same_instructions_run(void **state) {
    (void)state;
    struct pairs pairs;
    make_pairs(&pairs);
    expect_one_path(compare, &pairs, DIGEST + 2);
}

/* Whatever the first byte says, the last is looked at: in a page that cannot be read, that is the end. */
static void every_byte_of_both_is_read(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 2 * page;
    uint8_t *bytes[2];
    for (size_t i = 0; i < 2; i++) {
        bytes[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(bytes[i], MAP_FAILED);
    }
    bytes[0][0] = 1;
    assert_int_equal(fl_secret_same(bytes[0], bytes[1], size), 0);
    for (size_t closed = 0; closed < 2; closed++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL);
            mprotect(bytes[closed] + page, page, PROT_NONE);
            fl_secret_same(bytes[0], bytes[1], size);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
    munmap(bytes[0], size);
    munmap(bytes[1], size);
}

/* -------------------------------------------------------------------------------------- keys -- */

static char first[] = "writing-first", middle[] = "writing-other", last[] = "reading-third",
            both[] = "which-may-all", wrong[] = "written-wrong", nearly[] = "writing-firsu";
static char *const writing[] = {first, middle, both};
static char *const reading[] = {both, last};
static const char *const asked[] = {first, middle, last, both, wrong, nearly};
enum { ASKED = sizeof asked / sizeof *asked };

static struct fl_http_auth *make_auth(void) {
    struct fl_http_auth *auth = fl_http_auth_create();
    assert_non_null(auth);
    assert_true(fl_http_auth_set(auth, writing, 3, reading, 2));
    return auth;
}

static void a_key_allows_what_the_best_of_its_entries_does(void **state) {
    (void)state;
    static const enum fl_http_right expected[ASKED] = {FL_HTTP_EVERYTHING, FL_HTTP_EVERYTHING,
                                                       FL_HTTP_READING,    FL_HTTP_EVERYTHING,
                                                       FL_HTTP_NOTHING,    FL_HTTP_NOTHING};
    struct fl_http_auth *auth = make_auth();
    for (size_t i = 0; i < ASKED; i++)
        assert_int_equal(fl_http_auth_right(auth, flowdb_str(asked[i])), expected[i]);
    assert_int_equal(fl_http_auth_right(auth, flowdb_str("")), FL_HTTP_NOTHING);
    fl_http_auth_destroy(auth);
}

static void ask(void *context, size_t which) {
    volatile enum fl_http_right right = fl_http_auth_right(context, flowdb_str(asked[which]));
    (void)right;
}

/* All keys that are asked for are as long: the length of one's own key is no secret. */
static void whichever_key_it_is_the_same_instructions_run(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the digest takes memory, and their allocators go another way each time */
#endif
    struct fl_http_auth *auth = make_auth();
    expect_one_path(ask, auth, ASKED);
    fl_http_auth_destroy(auth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_the_same_if_every_bit_is),
        cmocka_unit_test(wherever_secrets_differ_the_same_instructions_run),
        cmocka_unit_test(every_byte_of_both_is_read),
        cmocka_unit_test(a_key_allows_what_the_best_of_its_entries_does),
        cmocka_unit_test(whichever_key_it_is_the_same_instructions_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
