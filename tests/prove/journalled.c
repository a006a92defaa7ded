/* Preloaded into a service: notes, in one file and in the order they happen, what it does to files
 * below some folders, when that was synced, and what it sends. The test makes from it the disk as a
 * power cut would have left it.
 *
 * JOURNAL_FILE: where it is noted. JOURNAL_ROOTS: folders, apart by ':'.
 *
 * A change is noted after it was made and before the call returns, so that nobody can have acted
 * on it earlier. A sync is noted twice: only what was noted before it began is durable after it.
 * Who kills a service locks the journal meanwhile (flock), or a change might lack its note.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 1024

struct head {
    uint8_t op;
    uint8_t zero;
    uint16_t name_length;
    uint32_t thread;
    uint64_t inode;
    uint64_t offset;
    uint32_t length;
} __attribute__((packed));

static int journal = -1;
static const char *roots;
static char watched[FDS];

#define REAL(kind, name, args) \
    static kind (*real) args; \
    if (!real) real = (kind (*) args)dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("JOURNAL_FILE");
    roots = getenv("JOURNAL_ROOTS");
    if (path && roots)
        journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static int below(const char *path) {
    if (journal < 0 || path[0] != '/') return 0;
    for (const char *root = roots; *root;) {
        size_t length = strcspn(root, ":");
        if (!strncmp(path, root, length) && (path[length] == '/' || !path[length])) return 1;
        root += length + (root[length] == ':');
    }
    return 0;
}

/* One write at the end of the file: whole, and in order with those of other processes. */
static void note(uint8_t op, uint64_t inode, uint64_t offset, const char *name, size_t name_length,
                 const void *data, size_t length) {
    int before = errno;
    struct head head = {op, 0, name_length, syscall(SYS_gettid), inode, offset, length};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)name, name_length}, {(void *)data, length}};
    ssize_t whole = sizeof head + name_length + length;
    if (syscall(SYS_writev, journal, parts, 3) != whole) abort();
    errno = before;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_ino;
}

static int is_folder(int fd) {
    struct stat found;
    return !fstat(fd, &found) && S_ISDIR(found.st_mode);
}

static void hold(int mine) {
    if (mine) while (flock(journal, LOCK_SH) && errno == EINTR);
}

static void let_go(int mine) {
    int before = errno;
    if (mine) flock(journal, LOCK_UN);
    errno = before;
}

static int watches(int fd) { return fd >= 0 && fd < FDS && watched[fd]; }

static int opened(const char *path, int flags, mode_t mode) {
    int mine = below(path);
    int was_there = mine && !syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
    hold(mine);
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (mine && fd >= FDS) abort();
    if (fd >= 0 && fd < FDS) watched[fd] = mine;
    if (!watches(fd)) ;
    else if (is_folder(fd)) note('D', inode_of(fd), 0, path, strlen(path), NULL, 0);
    else if (!was_there) note('C', inode_of(fd), 0, path, strlen(path), NULL, 0);
    else if (flags & O_TRUNC) note('T', inode_of(fd), 0, NULL, 0, NULL, 0);
    let_go(mine);
    return fd;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return opened(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)

int close(int fd) {
    REAL(int, "close", (int));
    if (fd >= 0 && fd < FDS) watched[fd] = 0;
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, "write", (int, const void *, size_t));
    int mine = watches(fd);
    hold(mine);
    ssize_t done = real(fd, data, length);
    if (mine && done > 0)
        note('W', inode_of(fd), lseek(fd, 0, SEEK_CUR) - done, NULL, 0, data, done);
    let_go(mine);
    return done;
}

#define PWRITES(name) \
    ssize_t name(int fd, const void *data, size_t length, off_t offset) { \
        REAL(ssize_t, #name, (int, const void *, size_t, off_t)); \
        int mine = watches(fd); \
        hold(mine); \
        ssize_t done = real(fd, data, length, offset); \
        if (mine && done > 0) note('W', inode_of(fd), offset, NULL, 0, data, done); \
        let_go(mine); \
        return done; \
    }
PWRITES(pwrite)
PWRITES(pwrite64)

#define TRUNCATES(name) \
    int name(int fd, off_t length) { \
        REAL(int, #name, (int, off_t)); \
        int mine = watches(fd); \
        hold(mine); \
        int failed = real(fd, length); \
        if (mine && !failed) note('T', inode_of(fd), length, NULL, 0, NULL, 0); \
        let_go(mine); \
        return failed; \
    }
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)

#define SYNCS(name) \
    int name(int fd) { \
        REAL(int, #name, (int)); \
        int mine = watches(fd); \
        if (mine) note('B', inode_of(fd), 0, NULL, 0, NULL, 0); \
        int failed = real(fd); \
        if (mine && !failed) note('E', inode_of(fd), 0, NULL, 0, NULL, 0); \
        return failed; \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int rename(const char *from, const char *to) {
    REAL(int, "rename", (const char *, const char *));
    int mine = below(from);
    hold(mine);
    int failed = real(from, to);
    if (mine && !failed) {
        char both[2 * PATH_MAX];
        int length = snprintf(both, sizeof both, "%s\n%s", from, to);
        note('R', 0, 0, both, length, NULL, 0);
    }
    let_go(mine);
    return failed;
}

int unlink(const char *path) {
    REAL(int, "unlink", (const char *));
    int mine = below(path);
    hold(mine);
    int failed = real(path);
    if (mine && !failed) note('U', 0, 0, path, strlen(path), NULL, 0);
    let_go(mine);
    return failed;
}

/* Noted once it is out: what it promises must have been durable by then. */
ssize_t send(int socket, const void *data, size_t length, int flags) {
    REAL(ssize_t, "send", (int, const void *, size_t, int));
    ssize_t done = real(socket, data, length, flags);
    int mine = done > 0 && journal >= 0;
    hold(mine);
    if (mine) note('S', 0, 0, NULL, 0, data, done);
    let_go(mine);
    return done;
}
